// What the parser lets pass because it could be a name. Here nothing is guessed: a word that begins with '-' is an
// option, and when none has this name it is a slip, not a disk; after '--' and with './' in front it is a name. A name
// that is not UTF-8 reaches .NET with other bytes than the caller gave, so it is refused, not taken for another one.
// Source: proc_pid_cmdline(5).
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Unicode;

namespace FastBackup.Cli;

static class CommandLineWords
{
    const string Replacement = "\uFFFD"; // what .NET puts in the place of bytes that are not UTF-8
    const string CommandLinePath = "/proc/self/cmdline";

    /// <returns>Null, or the sentence about a word whose bytes were lost.</returns>
    public static string? CheckBytes(string[] arguments)
    {
        int lost = Array.FindIndex(arguments, one => one.Contains(Replacement, StringComparison.Ordinal));
        if (lost < 0)
            return null;
        byte[][] given = ReadGiven();
        if (given.Length < arguments.Length) // no /proc
            return Sentence(arguments[lost]);
        // Words of the runtime may stand in front of the arguments. One that is valid really holds this character.
        byte[]? first = given[^arguments.Length..].FirstOrDefault(word => !Utf8.IsValid(word));
        return first == null ? null : Sentence(Show(first));

        static string Sentence(string shown) =>
            $"argument '{shown}' is not UTF-8; rename the file, or give a link to it whose name is";
    }

    /// <param name="parsed">With or without errors.</param>
    /// <param name="arguments">What it was parsed from.</param>
    /// <returns>Null, or what is wrong with a word that looks like an option and is none, or has no value.</returns>
    public static string? CheckOptions(ParseResult parsed, string[] arguments)
    {
        Option[] known = [.. Known(parsed.CommandResult)];
        foreach (string word in arguments.TakeWhile(one => one != "--"))
        {
            int end = word.IndexOfAny(['=', ':']);
            bool isFlag = end > 0 && known.Any(one => one.Arity.Equals(ArgumentArity.Zero) && one.Name == word[..end]);
            if (isFlag)
                return $"option '{word[..end]}' takes no value; leave '{word[end..]}' away";
        }
        HashSet<Token> values = new(OptionValues(parsed.CommandResult), ReferenceEqualityComparer.Instance);
        foreach (Token token in parsed.Tokens.TakeWhile(one => one.Type != TokenType.DoubleDash))
            if (token.Type == TokenType.Argument && IsOptionLike(token.Value, values.Contains(token)))
                return $"option '{token.Value}' is not known ({Hint(token.Value, known)})";
        return null;
    }

    /// <summary>The options of the command, and those from above that it may be given, too.</summary>
    static IEnumerable<Option> Known(CommandResult command) =>
        command.Command.Options.Concat(
            ((CommandResult?)command.Parent)?.Command.Options.Where(one => one.Recursive) ?? []
        );

    static IEnumerable<Token> OptionValues(CommandResult command) =>
        command.Children.OfType<OptionResult>().SelectMany(one => one.Tokens);

    /// <summary>The value of an option may be a negative number: that option says what it thinks of it.</summary>
    static bool IsOptionLike(string word, bool isValue) =>
        word.Length > 1 && word[0] == '-' && !(isValue && char.IsAsciiDigit(word[1]));

    static string Hint(string word, Option[] known)
    {
        int end = word.IndexOfAny(['=', ':']);
        string name = end > 0 ? word[..end] : word;
        return Spelling.Nearest(name, known.Select(one => one.Name)) is { } near
            ? $"did you mean '{near}'?"
            : $"a name that begins with '-' is written './{word}'";
    }

    /// <returns>The words as the kernel has them: each ends with a zero byte. None where it does not say.</returns>
    static byte[][] ReadGiven()
    {
        try
        {
            byte[] all = File.ReadAllBytes(CommandLinePath);
            List<byte[]> words = [];
            for (int start = 0, end; (end = Array.IndexOf(all, (byte)0, start)) >= 0; start = end + 1)
                words.Add(all[start..end]);
            return [.. words];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    static string Show(ReadOnlySpan<byte> bytes)
    {
        StringBuilder text = new();
        foreach (byte one in bytes)
            _ = one is >= 0x20 and < 0x7f ? text.Append((char)one) : text.Append($"\\x{one:x2}");
        return text.ToString();
    }
}
