// Text as the man macros take it: nothing of it is a request, a hyphen that is typed stays one, quotes are the typed
// ones. Source: man(7), groff_char(7).
using System;
using System.Linq;
using System.Text;

namespace FastBackup.Cli;

static class RoffText
{
    /// <summary>What people type: to be copied from the page.</summary>
    public static string Typed(string text) => Escape(text, "\\-");

    /// <summary>What people read.</summary>
    public static string Prose(string text) => Escape(text, "-").Replace("--", "\\-\\-", StringComparison.Ordinal);

    /// <summary>One argument of a macro.</summary>
    public static string Argument(string escaped) =>
        '"' + escaped.Replace("\"", "\\(dq", StringComparison.Ordinal) + '"';

    static string Escape(string text, string hyphen)
    {
        StringBuilder escaped = new(text.StartsWith('.') || text.StartsWith('\'') ? "\\&" : "");
        foreach (char one in text)
            _ = one switch
            {
                '\\' => escaped.Append("\\e"),
                '-' => escaped.Append(hyphen),
                '\'' => escaped.Append("\\(aq"),
                '`' => escaped.Append("\\(ga"),
                '^' => escaped.Append("\\(ha"),
                '~' => escaped.Append("\\(ti"),
                _ => escaped.Append(one),
            };
        return escaped.ToString();
    }
}
