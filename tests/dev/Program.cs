// The repository's one helper program: everything that would otherwise be a shell script. It asks nothing,
// needs no input and leaves nothing behind but build output.
using System.CommandLine;
using System.Threading;
using System.Threading.Tasks;

namespace FastBackup.Dev;

static class Program
{
    static Task<int> Main(string[] arguments)
    {
        Option<string?> filter = new("--filter")
        {
            Description = "Run only the suites whose name contains this text (unit, tidy, unit-scalar, ...).",
            HelpName = "SUITE",
        };
        Option<bool> quick = new("--quick")
        {
            Description = "Only the suites that find much in little time: three minutes on two processors.",
        };
        Option<bool> noInstall = new("--no-install")
        {
            Description = "Do not install missing packages; tests that need them are skipped (or fail under CI=true).",
        };
        Command test = new("test", "Build everything and run every test; the last line has the totals.")
        {
            filter,
            quick,
            noInstall,
        };
        Command format = new("format", "Format all source files in place.");
        RootCommand root = new("FastBackup's helper for developers. Without a verb it does 'test'.")
        {
            filter,
            quick,
            noInstall,
            test,
            format,
        };

        Task<int> RunTests(ParseResult parsed, CancellationToken cancel) =>
            TestCommand.RunAsync(parsed.GetValue(filter), parsed.GetValue(quick), !parsed.GetValue(noInstall), cancel);
        root.SetAction(RunTests);
        test.SetAction(RunTests);
        format.SetAction((_, cancel) => FormatCommand.RunAsync(cancel));
        return root.Parse(arguments).InvokeAsync();
    }
}
