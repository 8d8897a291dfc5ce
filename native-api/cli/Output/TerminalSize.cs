// How large the terminal is now; a usual size where it does not say.
using System;
using System.IO;

namespace FastBackup.Cli;

static class TerminalSize
{
    const int ColumnsUnknown = 80;
    const int RowsUnknown = 24;

    public static int Columns() => Ask(() => Console.WindowWidth, ColumnsUnknown);

    public static int Rows() => Ask(() => Console.WindowHeight, RowsUnknown);

    static int Ask(Func<int> size, int unknown)
    {
        try
        {
            return size() is > 0 and int known ? known : unknown;
        }
        catch (IOException)
        {
            return unknown;
        }
    }
}
