// What the shell can complete where a value stands: told from the value's name in the usage line, so that an option has
// one description for --help, manual page and shell. A name that is not known here may be a file's, as shells guess.
using System;
using System.Linq;

namespace FastBackup.Cli;

enum ValueKind
{
    /// <summary>A number or a name that nobody but the user knows.</summary>
    Word,
    File,
    Folder,

    /// <summary>One of a few words.</summary>
    Choice,
}

static class ValueKinds
{
    static readonly string[] s_folders = ["DIR", "REPO"];

    static readonly string[] s_words =
    [
        "SIZE",
        "SECONDS",
        "N",
        "N/M",
        "NAME",
        "COMMAND",
        "JOB",
        "KEY",
        "POINT",
        "TAG",
        "WORD",
        "HOST:PORT",
        "NAME=EXPORT,...",
        "key=value",
    ];

    public static ValueKind Of(string name, string[] choices) =>
        choices.Length > 0 ? ValueKind.Choice
        : s_words.Contains(name, StringComparer.Ordinal) ? ValueKind.Word
        : s_folders.Contains(name, StringComparer.Ordinal) ? ValueKind.Folder
        : ValueKind.File;
}
