// Completion for zsh, a function for each command over zsh's own _arguments. Source: zshcompsys(1).
using System;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class ZshCompletion
{
    const string Head = """
        #compdef fastbackup
        # zsh completion of fastbackup, written by: fastbackup completion zsh

        # NAME=PATH is completed behind the sign.
        _fastbackup_named_files() {
          compset -P '*='
          _files "$@"
        }

        """;

    const string Tail = """

        if [ "$funcstack[1]" = "_fastbackup" ]; then
          _fastbackup "$@"
        else
          compdef _fastbackup fastbackup
        fi

        """;

    /// <param name="root">The whole tree.</param>
    public static string Write(CommandPage root)
    {
        StringBuilder text = new(Head);
        foreach (CommandPage page in root.All)
            Append(text, page);
        return text.Append(Tail).ToString();
    }

    static void Append(StringBuilder text, CommandPage page)
    {
        _ = text.Append('\n').Append(Function(page)).Append("() {\n");
        if (page.Commands.Length > 0)
            _ = text.Append("  local context state state_descr line\n  typeset -A opt_args\n");
        _ = text.Append("  _arguments").Append(page.Commands.Length > 0 ? " -C" : "");
        foreach (CommandOption option in page.Options)
            AppendWord(text, Specify(option));
        if (page.Commands.Length > 0)
        {
            AppendWord(text, "1: :->command");
            AppendWord(text, "*:: :->rest");
        }
        foreach ((int index, CommandValue value) in page.Values.Index())
        {
            string place = value.IsRepeated ? "*" : $"{index + 1}" + (value.IsOptional ? ":" : "");
            AppendWord(text, $"{place}:{Colons(value.Name)}:{Action(value)}");
        }
        _ = text.Append('\n');
        if (page.Commands.Length > 0)
            AppendCommands(text, page);
        _ = text.Append("}\n");
    }

    static void AppendCommands(StringBuilder text, CommandPage page)
    {
        _ = text.Append("  local -a commands\n  case $state in\n    command)\n      commands=(\n");
        foreach (CommandPage one in page.Commands)
            _ = text.Append($"        {Quote(one.Words[^1] + ":" + one.Description)}\n");
        _ = text.Append("      )\n      _describe -t commands command commands\n      ;;\n    rest)\n");
        _ = text.Append("      case $words[1] in\n");
        foreach (CommandPage one in page.Commands)
            _ = text.Append($"        {one.Words[^1]}) {Function(one)} ;;\n");
        _ = text.Append("      esac\n      ;;\n  esac\n");
    }

    static void AppendWord(StringBuilder text, string word) => text.Append(" \\\n    ").Append(Quote(word));

    static string Function(CommandPage page) =>
        "_" + string.Join('_', page.Words.Select(word => word.Replace('-', '_')));

    static string Specify(CommandOption option)
    {
        string explanation = $"[{Brackets(option.Description)}]";
        return option.Value is not { } value
            ? option.LongName + explanation
            : $"{(value.IsRepeated ? "*" : "")}{option.LongName}={explanation}:{Colons(value.Name)}:{Action(value)}";
    }

    static string Action(CommandValue value) =>
        value.Kind switch
        {
            ValueKind.Word => " ",
            ValueKind.File => value.IsRepeated ? "_fastbackup_named_files" : "_files",
            ValueKind.Folder => "_files -/",
            _ => $"({string.Join(' ', value.Choices)})",
        };

    static string Brackets(string text) =>
        Colons(text.Replace("[", "\\[", StringComparison.Ordinal).Replace("]", "\\]", StringComparison.Ordinal));

    static string Colons(string text) => text.Replace(":", "\\:", StringComparison.Ordinal);

    static string Quote(string text) => "'" + text.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
