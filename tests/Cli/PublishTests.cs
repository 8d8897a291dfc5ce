// A copy and its name, while others use the same folder: what success means, what a replaced file keeps, what is never
// touched. Each call and each moment is in the tests of TargetPlace; here it is the whole command.
using System;
using System.IO;
using FastBackup.Tests.Cli.Command;
using FastBackup.Tests.Processes;
using FastBackup.Tests.Storage;
using Xunit;

namespace FastBackup.Tests.Cli;

public sealed class PublishTests : IDisposable
{
    readonly TempFolder _folder = new();

    public PublishTests() => Disks.Random(_folder["disk.img"], 8 << 20);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ReplacedFile_KeepsItsOwnerAndMode()
    {
        Requires.Root();
        File.WriteAllText(_folder["vm.img"], "old");
        Programs.Run(_folder.Path, "chown", "1234:2345", "vm.img").Expect(0);
        Programs.Run(_folder.Path, "chmod", "660", "vm.img").Expect(0);
        Programs.Fastbackup(_folder.Path, "backup", "disk.img", "vm.img", "--force").Expect(0);
        Assert.Equal("1234:2345 660\n", Programs.Run(_folder.Path, "stat", "-c", "%u:%g %a", "vm.img").Output);
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), File.ReadAllBytes(_folder["vm.img"]));
    }

    [Fact]
    public void FileThatAppearsMeanwhile_IsKept()
    {
        using RunningProgram backup = Start();
        File.WriteAllText(_folder["copy.img"], "precious");
        backup.Wait().Expect(1).ExpectSentence("the copy is whole, but 'copy.img' has appeared meanwhile");
        Assert.Equal("precious", File.ReadAllText(_folder["copy.img"]));
        Assert.Equal(File.ReadAllBytes(_folder["disk.img"]), File.ReadAllBytes(_folder["copy.img.partial"]));
    }

    [Fact]
    public void PartialThatIsSwapped_IsNeverPublished_NorWhatItLeadsToChanged()
    {
        using RunningProgram backup = Start();
        File.WriteAllText(_folder["victim"], "secret");
        const UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.OtherRead;
        File.SetUnixFileMode(_folder["victim"], mode);
        File.Move(_folder["copy.img.partial"], _folder["elsewhere"]);
        File.CreateSymbolicLink(_folder["copy.img.partial"], "victim");
        backup.Wait().Expect(1).ExpectSentence("somebody has taken the name 'copy.img.partial' from it meanwhile");
        Assert.Equal(mode, File.GetUnixFileMode(_folder["victim"]));
        Assert.False(File.Exists(_folder["copy.img"]));
        Assert.Equal("victim", new FileInfo(_folder["copy.img.partial"]).LinkTarget);
    }

    [Fact]
    public void FileThatABackupReads_IsReplaced_AndOneThatIsWrittenIsNot()
    {
        Requires.Command("flock");
        File.WriteAllText(_folder["copy.img"], "old");
        using (RunningProgram holder = Hold("--exclusive"))
            Programs
                .Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--force")
                .Expect(1)
                .ExpectSentence("'copy.img' is being written or served by another program");
        Assert.Equal("old", Programs.Run(_folder.Path, "cat", "copy.img").Output); // takes no lock itself
        using (RunningProgram holder = Hold("--shared"))
            Programs.Fastbackup(_folder.Path, "backup", "disk.img", "copy.img", "--force").Expect(0);
    }

    /// <summary>A program that holds the target's lock until the end of the test.</summary>
    RunningProgram Hold(string how)
    {
        string flag = _folder["held" + how];
        string[] line = ["--no-fork", how, "copy.img", "sh", "-c", $"touch '{flag}'; exec sleep 60"];
        RunningProgram holder = new(_folder.Path, Requires.FindCommand("flock")!, line);
        Eventually.True(() => File.Exists(flag));
        return holder;
    }

    RunningProgram Start()
    {
        RunningProgram backup = Programs.StartFastbackup(
            _folder.Path,
            "backup",
            "disk.img",
            "copy.img",
            "--speed",
            "4MiB"
        );
        string partial = _folder["copy.img.partial"];
        Eventually.True(() => File.Exists(partial) && Disks.AllocatedBytes(partial) > 0); // past the first looks
        return backup;
    }
}
