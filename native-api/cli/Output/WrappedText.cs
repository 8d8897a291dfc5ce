// A name and a text beside it, in lines that fit a terminal: the text goes on below itself. Where there is hardly any
// room beside the name, it goes on near the left edge. Text without a name goes on below its beginning.
using System;
using System.Collections.Generic;

namespace FastBackup.Cli;

static class WrappedText
{
    const int RestColumnsMin = 20;
    const int IndentSmall = 2;

    /// <param name="name">With what fills its column.</param>
    /// <param name="text">Words.</param>
    /// <param name="columns">Of the terminal; a word that is longer has a line of its own.</param>
    public static IEnumerable<string> Lines(string name, string text, int columns)
    {
        string indent = new(' ', columns - name.Length < RestColumnsMin ? IndentSmall : name.Length);
        string line = name;
        bool isBegun = false;
        foreach (string word in text.Split(' '))
        {
            string longer = isBegun ? $"{line} {word}" : line + word;
            if (longer.Length > columns && (isBegun || line.Trim().Length > 0 && line.Length > indent.Length))
            {
                yield return line.TrimEnd();
                longer = indent + word;
            }
            (line, isBegun) = (longer, true);
        }
        yield return line;
    }

    /// <summary>Lines that fit stay as they are; the others go on below their beginning.</summary>
    /// <param name="text">Of any number of lines.</param>
    /// <param name="columns">As for <see cref="Lines"/>.</param>
    public static IEnumerable<string> Paragraphs(string text, int columns)
    {
        foreach (string given in text.Split('\n'))
        {
            string words = given.TrimStart(' ');
            string indent = new(' ', given.Length - words.Length);
            foreach (string line in given.Length <= columns ? [given] : Lines(indent, words, columns))
                yield return line;
        }
    }
}
