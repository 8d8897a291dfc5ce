// What an option was given, for the rules of a whole command: those are asked before the options' own, and of a value
// that cannot be read there is none. Its own sentence is told all the same.
using System;
using System.CommandLine;
using System.CommandLine.Parsing;

namespace FastBackup.Cli;

static class GivenValue
{
    /// <returns>The default where the value cannot be read, too.</returns>
    public static T? ValueIfReadable<T>(this CommandResult result, Option<T> option)
    {
        try
        {
            return result.GetValue(option);
        }
        catch (InvalidOperationException)
        {
            return default;
        }
    }
}
