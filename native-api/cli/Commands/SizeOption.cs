// An option that takes a size and says what is wrong with a bad one in a whole sentence.
using System.CommandLine;
using System.CommandLine.Parsing;

namespace FastBackup.Cli;

static class SizeOption
{
    /// <param name="name">With its dashes.</param>
    /// <param name="description">For --help.</param>
    /// <param name="rule">Null when the size is fine, else why not, as the end of a sentence.</param>
    /// <returns>An option whose value is null unless it was given.</returns>
    public static Option<ulong?> Create(string name, string description, System.Func<ulong, string?> rule)
    {
        return new Option<ulong?>(name)
        {
            Description = description,
            HelpName = "SIZE",
            CustomParser = result => Parse(result, name, rule),
        };
    }

    /// <param name="name">As in the usage line.</param>
    /// <param name="description">For --help.</param>
    public static Argument<ulong> CreateArgument(string name, string description) =>
        new(name)
        {
            Description = description,
            CustomParser = result => Parse(result, name, bytes => bytes > 0 ? null : "is no size") ?? 0,
        };

    static ulong? Parse(ArgumentResult result, string name, System.Func<ulong, string?> rule)
    {
        string text = result.Tokens.Count == 0 ? "" : result.Tokens[0].Value;
        string? wrong = ByteSize.TryParse(text, out ulong bytes) ?? rule(bytes);
        if (wrong == null)
            return bytes;
        result.AddError($"{name} '{text}' {wrong}");
        return null;
    }
}
