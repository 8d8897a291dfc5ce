// fastbackup completion bash|zsh|fish: prints the script that teaches the shell this command.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;

namespace FastBackup.Cli;

static class CompletionCommand
{
    static readonly string[] s_examples =
    [
        "fastbackup completion bash > ~/.local/share/bash-completion/completions/fastbackup",
        "fastbackup completion zsh > ~/.zfunc/_fastbackup        (a folder of fpath)",
        "fastbackup completion fish > ~/.config/fish/completions/fastbackup.fish",
    ];

    static readonly Dictionary<string, Func<CommandPage, string>> s_scripts = new()
    {
        ["bash"] = BashCompletion.Write,
        ["zsh"] = ZshCompletion.Write,
        ["fish"] = FishCompletion.Write,
    };

    /// <param name="root">Commands that are added later are in the scripts as well.</param>
    /// <param name="examples">Takes those of this command.</param>
    public static void AddTo(RootCommand root, Dictionary<Command, string[]> examples)
    {
        Argument<string> shell = new("SHELL")
        {
            Description = "Whose script.",
            HelpName = string.Join('|', s_scripts.Keys),
        };
        shell.Validators.Add(result =>
        {
            string asked = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
            if (asked.Length > 0 && !s_scripts.ContainsKey(asked))
                result.AddError($"SHELL '{asked}' is not known; it is 'bash', 'zsh' or 'fish'");
        });
        Command command = new("completion", "Print the script with which a shell completes this command.") { shell };
        command.SetAction(parsed =>
        {
            string script = s_scripts[parsed.GetRequiredValue(shell)](CommandPage.Of(root, examples));
            Console.Out.Write(script);
            return ExitCode.Done;
        });
        examples.Add(command, s_examples);
        root.Add(command);
    }
}
