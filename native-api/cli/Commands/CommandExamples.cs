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
    const string ExitCodes = """
        Exit codes:
          0  done (compare: identical)
          1  refused or failed, one sentence on stderr (compare: different)
          2  the command line is wrong; nothing was opened
          3  compare: refused or failed, one sentence on stderr; check: space is lost, and nothing else
          4  check: the image is corrupt
          130  interrupted by Ctrl-C or SIGTERM; a second one ends at once
        """;

    sealed class HelpWithExamples(HelpAction inner, Dictionary<Command, string[]> examples)
        : SynchronousCommandLineAction
    {
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            int code = inner.Invoke(parseResult);
            if (examples.TryGetValue(parseResult.CommandResult.Command, out string[]? lines))
                Console.Out.WriteLine("Examples:" + string.Concat(lines.Select(line => "\n  " + line)) + "\n");
            Console.Out.WriteLine(ExitCodes);
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
