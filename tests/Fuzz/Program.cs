// Both ends of NBD against bytes that no peer should send, and qcow2 images of which anything may be wrong, driven by
// coverage: what reaches a branch that nothing has reached before is kept and changed further. Instruments a copy of
// the engine in memory, then runs over it.
//   dotnet run -c Release --project tests/Fuzz -- [--end server|client|both|image|all] [--sessions 20000] [--seed N]
//                                                 [--seconds N] [--keep FOLDER] [--input FILE]
// Of NBD each session is a connection; beside each end there is a guest's whose data is checked. Of images it is one,
// read, checked, written to, made larger and given bitmaps. Last lines: what was done, one an end; exit 1 when
// something crashed, hung, leaked or harmed a guest, and then the input as hex. FASTBACKUP_FUZZ=N: so many sessions.
using System;
using System.Globalization;
using System.IO;

namespace FastBackup.Tests.Fuzz;

static class Program
{
    static int Main(string[] arguments)
    {
        FuzzOptions options;
        try
        {
            options = FuzzOptions.Parse(arguments);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            Console.Error.WriteLine(exception.Message);
            return 2;
        }
        string folder = Path.GetDirectoryName(typeof(Program).Assembly.Location)!;
        InstrumentedEngine engine = new(folder);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {options.Seed}"));
        return engine.Run(arguments, options.Seed);
    }
}
