// The manual pages: each is what --help says, and valid for both programs that show manual pages.
using System;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class ManPageTests : IDisposable
{
    readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Pages_SayWhatHelpSays_AndAreValid()
    {
        Requires.Command("man");
        Requires.Command("mandoc");
        string write = $"SOURCE_DATE_EPOCH=1700000000 {BuiltCommand.Line} man --to pages";
        Programs.Run(_folder.Path, "sh", "-c", write).Expect(0);
        HelpText[] all = [.. HelpText.ReadAll(_folder.Path)];
        string[] names = [.. all.Where(help => help.Words.Length < 2).Select(PageOf).Order()];
        Assert.Equal(names, Directory.GetFiles(_folder["pages"]).Select(Path.GetFileName).Order());
        foreach (string name in names)
        {
            string[] asWritten = ["-E", "UTF-8", "--warnings", "-l", "pages/" + name];
            ProgramResult shown = Programs.Run(_folder.Path, "env", ["MANWIDTH=300", "man", .. asWritten]).Expect(0);
            Assert.Equal("", shown.Error);
            Assert.Equal("", Programs.Run(_folder.Path, "mandoc", "-Tlint", "-Wwarning", "pages/" + name).Output);
            string page = OneSpaced(shown.Output);
            foreach (HelpText help in all.Where(one => PageOf(one) == name))
            foreach ((string entry, string description) in help.Entries.Where(one => one.Name != "-?, -h, --help"))
                AssertSays(page, help.Commands, entry, description);
            Assert.Contains("EXIT STATUS 0 done", page);
            Assert.Contains("2023-11-14", page);
        }
    }

    [Fact]
    public void PageOfOneCommand_IsPrinted_AndTheSameEveryDay()
    {
        string page = Programs.Fastbackup(_folder.Path, "man", "backup").Expect(0).Output;
        Assert.Contains(".TH \"FASTBACKUP\\-BACKUP\" \"1\" \"\"", page);
        Assert.Contains(@"fastbackup backup disk.img backup.img \-\-force \-\-json", page);
        Assert.Equal(page, Programs.Fastbackup(_folder.Path, "man", "backup").Expect(0).Output);
        Assert.Equal("", FolderPicture.Take(_folder.Path));
    }

    static string PageOf(HelpText help) => string.Join('-', help.Words.Take(1).Prepend("fastbackup")) + ".1";

    /// <param name="page">In one line.</param>
    /// <param name="commands">Which a page may show as pages of their own.</param>
    /// <param name="entry">As help has it: --sync &lt;full|top&gt;.</param>
    /// <param name="description">Of it.</param>
    static void AssertSays(string page, string[] commands, string entry, string description)
    {
        string what = commands.Contains(entry.Split(' ')[0]) ? entry.Split(' ')[0] : entry;
        Assert.Matches(
            Regex.Escape(OneSpaced(Regex.Replace(what, "[<>]", ""))) + ".* " + Regex.Escape(description),
            page
        );
    }

    static string OneSpaced(string text) => Regex.Replace(text, @"\s+", " ");
}
