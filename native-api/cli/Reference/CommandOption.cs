// An option, as help, manual page and shells know it.
using System;
using System.Linq;

namespace FastBackup.Cli;

/// <param name="Names">With their dashes, the usual one first.</param>
/// <param name="Description">For people.</param>
/// <param name="Value">Null: it is there or not.</param>
/// <param name="Default">What counts when it is not given, where that is one value; else null.</param>
sealed record CommandOption(string[] Names, string Description, CommandValue? Value, string? Default)
{
    public string LongName => Names.First(name => name.StartsWith("--", StringComparison.Ordinal));
}
