// Values that only a C compiler knows: compiles a program that prints them, and runs it. Each question is a C
// expression of an integer type; the answer is its value and its type. Names of macros come from the preprocessor.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

namespace FastBackup.Interop.Generator;

/// <param name="includes">The text of a C file: #include lines.</param>
/// <param name="folders">Where headers are looked for, before the system's folders.</param>
sealed class CompilerProbe(string includes, params string[] folders)
{
    const string Preamble = """
        #include <stddef.h>
        #include <stdio.h>
        #define KIND(x) _Generic((x), unsigned: "uint", unsigned long: "ulong", unsigned long long: "ulong", \
            long: "long", long long: "long", default: "int")
        #define ASK(x) printf("%s %llx\n", KIND(x), (unsigned long long)(x))
        int main(void) {

        """;

    string[] Search => [.. folders.Select(folder => "-I" + folder)];

    /// <returns>Object-like macros with a value, in order of their names.</returns>
    public string[] MacroNames(string prefix) =>
        [
            .. ToolProcess
                .Run("clang", ["-x", "c", "-E", "-dM", .. Search, "-"], includes)
                .Split('\n')
                .Select(line => line.Split(' ', 3)) // #define NAME value; a function has its bracket in the name
                .Where(words => words.Length == 3 && words[2].Length > 0 && !words[1].Contains('('))
                .Select(words => words[1])
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal),
        ];

    /// <summary>Evaluates integer expressions.</summary>
    /// <returns>By expression: the C# type of its C type, and its value.</returns>
    public Dictionary<string, CValue> Evaluate(IReadOnlyCollection<string> expressions)
    {
        StringBuilder source = new(includes + "\n" + Preamble);
        foreach (string expression in expressions)
            source.Append("ASK(").Append(expression).Append(");\n");
        source.Append("return 0; }\n");
        string program = Path.Combine(Directory.CreateTempSubdirectory("fastbackup-generator-").FullName, "probe");
        try
        {
            ToolProcess.Run("gcc", ["-x", "c", "-std=gnu11", "-w", .. Search, "-o", program, "-"], source.ToString());
            string[] lines = ToolProcess.Run(program, [], "").Split('\n', StringSplitOptions.RemoveEmptyEntries);
            return expressions
                .Zip(lines, (expression, line) => (expression, line))
                .ToDictionary(answer => answer.expression, answer => Parse(answer.line));
        }
        finally
        {
            Directory.Delete(Path.GetDirectoryName(program)!, recursive: true);
        }
    }

    static CValue Parse(string line)
    {
        string[] words = line.Split(' ');
        ulong bits = ulong.Parse(words[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        return new CValue(words[0], bits);
    }
}
