// A help page that ends with examples, since those are what people look for.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Linq;

namespace FastBackup.Cli;

static class CommandExamples
{
    /// <summary>A terminal that says it is narrower gets lines of this: the parser's layout fails below.</summary>
    const int ColumnsMin = 20;

    sealed class HelpWithExamples(HelpAction inner, Dictionary<Command, string[]> examples)
        : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            inner.MaxWidth = Math.Max(inner.MaxWidth, ColumnsMin);
            int code = inner.Invoke(parseResult);
            if (examples.TryGetValue(parseResult.CommandResult.Command, out string[]? lines))
                Console.Out.WriteLine("Examples:" + string.Concat(lines.Select(line => "\n  " + line)) + "\n");
            Console.Out.WriteLine("Exit codes:");
            foreach ((int number, string meaning) in ExitCode.Meanings)
            foreach (string line in WrappedText.Lines(Phrases.Text($"  {number}  "), meaning, inner.MaxWidth))
                Console.Out.WriteLine(line);
            return code;
        }
    }

    /// <param name="root">Its help option serves every command below it.</param>
    /// <param name="examples">Command lines, by command.</param>
    public static void Attach(RootCommand root, Dictionary<Command, string[]> examples)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        // On Linux these are paths.
        _ = help.Aliases.Remove("/h");
        _ = help.Aliases.Remove("/?");
        help.Action = new HelpWithExamples((HelpAction)help.Action!, examples);
    }
}
