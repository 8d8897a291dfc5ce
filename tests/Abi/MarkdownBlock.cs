// The C blocks of a Markdown file, each with the comment in front of it that says how it is to be compiled:
//
//   <!-- c: program -->                     a whole program: compiled, linked and run; it must end with 0
//   <!-- c: declarations; DECLARATIONS -->  functions and variables, compiled behind the header and DECLARATIONS
//   <!-- c: statements; DECLARATIONS -->    the same, but wrapped in a function
//   <!-- c: quoted -->                      lines of files of the tree, each run of lines after a comment with its path
//
// The comment may go over several lines; DECLARATIONS are C and may be missing.
using System;
using System.Collections.Generic;
using System.IO;
using System.Text;

namespace FastBackup.Tests.Abi;

/// <param name="File">From the root of the tree.</param>
/// <param name="Line">Of the opening fence, from 1.</param>
/// <param name="Kind">program, declarations, statements or quoted; empty when no comment stands in front.</param>
/// <param name="Assumed">Declarations that the block needs.</param>
/// <param name="Code">What stands between the fences.</param>
sealed record MarkdownBlock(string File, int Line, string Kind, string Assumed, string Code)
{
    const string MarkBegin = "<!-- c:";
    const string MarkEnd = "-->";
    const string Fence = "```";

    /// <summary>What the compiler sees of a block that is no program; its messages name the Markdown file.</summary>
    public string Source
    {
        get
        {
            bool isInFunction = Kind == "statements";
            StringBuilder source = new("#include <fastbackup.h>\n#include <stdint.h>\n#include <stdio.h>\n");
            source.Append("#include <stdlib.h>\n#include <string.h>\n").Append(Assumed).Append('\n');
            if (isInFunction)
                source.Append("void the_function(void);\nvoid the_function(void) {\n");
            source.Append($"#line {Line + 1} \"{File}\"\n").Append(Code);
            return source.Append(isInFunction ? "}\n" : "").ToString();
        }
    }

    /// <summary>All C blocks, in order.</summary>
    /// <param name="file">From the root of the tree.</param>
    public static IEnumerable<MarkdownBlock> Read(string file) =>
        Find(file, System.IO.File.ReadAllLines(Repository.PathOf(file)));

    /// <inheritdoc cref="Read"/>
    public static IEnumerable<MarkdownBlock> Find(string file, string[] lines)
    {
        string mark = "";
        for (int at = 0; at < lines.Length; at++)
        {
            if (lines[at].StartsWith(MarkBegin, StringComparison.Ordinal))
            {
                mark = Collect(
                    lines,
                    ref at,
                    line => line.EndsWith(MarkEnd, StringComparison.Ordinal),
                    isWithEnd: true
                );
                continue;
            }
            if (lines[at].StartsWith(Fence, StringComparison.Ordinal))
            {
                int opening = at++;
                string code = Collect(lines, ref at, line => line == Fence, isWithEnd: false);
                if (lines[opening] == Fence + "c")
                    yield return Make(file, opening + 1, mark, code);
            }
            mark = "";
        }
    }

    static string Collect(string[] lines, ref int at, Predicate<string> isEnd, bool isWithEnd)
    {
        StringBuilder text = new();
        for (; at < lines.Length; at++)
        {
            if (isEnd(lines[at]))
            {
                if (isWithEnd)
                    text.Append(lines[at]);
                return text.ToString();
            }
            text.Append(lines[at]).Append('\n');
        }
        throw new InvalidDataException("a fence or a comment does not end");
    }

    static MarkdownBlock Make(string file, int line, string mark, string code)
    {
        string text = mark.Length == 0 ? "" : mark[MarkBegin.Length..^MarkEnd.Length];
        string[] parts = text.Split(';', 2);
        return new MarkdownBlock(file, line, parts[0].Trim(), parts.Length > 1 ? parts[1].Trim() : "", code);
    }
}
