// fastbackup man [COMMAND]: prints the manual page of a command, or with --to writes those of all into a folder.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using FastBackup.Repositories;

namespace FastBackup.Cli;

static class ManCommand
{
    /// <summary>Source: reproducible-builds.org, SOURCE_DATE_EPOCH: seconds since 1970.</summary>
    const string DateVariable = "SOURCE_DATE_EPOCH";

    static readonly string[] s_examples =
    [
        "fastbackup man | man -l -",
        "fastbackup man backup | man -l -",
        "fastbackup man --to ~/.local/share/man/man1",
    ];

    /// <param name="root">Commands that are added later have pages as well.</param>
    /// <param name="examples">Takes those of this command.</param>
    public static void AddTo(RootCommand root, Dictionary<Command, string[]> examples)
    {
        Argument<string?> name = CommandNameArgument.Create(
            root,
            "The command whose page it is; that of all of them when left out."
        );
        Option<string?> folder = RepositoryOptions.CreatePath(
            "--to",
            "Write all pages into this folder, which is made where it is missing."
        );
        folder.HelpName = "DIR";
        Command command = new("man", "Print the manual page of a command, or write them all.") { name, folder };
        command.Validators.Add(result =>
        {
            if (result.GetResult(name) is { Tokens.Count: > 0 } && result.GetResult(folder) != null)
                result.AddError("--to writes the pages of all commands; leave COMMAND out");
        });
        command.SetAction(parsed =>
            Run(CommandPage.Of(root, examples), parsed.GetValue(name), parsed.GetValue(folder))
        );
        examples.Add(command, s_examples);
        root.Add(command);
    }

    static int Run(CommandPage root, string? name, string? folder)
    {
        if (folder == null)
        {
            Console.Out.Write(Write(name == null ? root : root.Commands.Single(one => one.Words[^1] == name), root));
            return ExitCode.Done;
        }
        try
        {
            _ = Directory.CreateDirectory(folder);
            foreach (CommandPage page in root.Commands.Prepend(root))
                File.WriteAllText(Path.Combine(folder, page.FileName + ".1"), Write(page, root));
            return ExitCode.Done;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            string why = FileTrouble.Describe(exception);
            Console.Error.WriteLine($"fastbackup: cannot write pages into --to '{folder}': {why}; give another folder");
            return ExitCode.Failed;
        }
    }

    static string Write(CommandPage page, CommandPage root)
    {
        string version =
            typeof(ManCommand)
                .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()
                ?.InformationalVersion
            ?? "";
        return ManPage.Write(page, root, version, Date());
    }

    /// <returns>Of the variable; empty without it, so that what is printed does not change from day to day.</returns>
    static string Date()
    {
        string given = Environment.GetEnvironmentVariable(DateVariable) ?? "";
        bool isTime = long.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds);
        return isTime && seconds < DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds).ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)
            : "";
    }
}
