// Asks gcc for sizes, offsets and values: one line each, in the order of the questions.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Xunit;

namespace FastBackup.Tests.Interop.C;

/// <param name="includes">#include lines.</param>
sealed class CDump(string includes)
{
    readonly List<(string What, decimal Expected, string Expression)> _questions = [];

    /// <param name="what">In the message when they differ.</param>
    /// <param name="expected">What C# has.</param>
    /// <param name="expression">In C, of an integer type.</param>
    public void Expect(string what, object expected, string expression) =>
        _questions.Add((what, Convert.ToDecimal(expected, CultureInfo.InvariantCulture), expression));

    /// <returns>How many were compared.</returns>
    public int AssertEqual()
    {
        StringBuilder source = new(includes + "\n#include <stddef.h>\n#include <stdio.h>\n");
        // A number below zero is printed as one, whatever its type.
        source.Append("#define ASK(x) ((x) < 1 && (x) != 0 ? printf(\"%lld\\n\", (long long)(x)) ");
        source.Append(": printf(\"%llu\\n\", (unsigned long long)(x)))\nint main(void) {\n");
        foreach ((_, _, string expression) in _questions)
            source.Append("ASK(").Append(expression).Append(");\n");
        source.Append("return 0; }\n");
        string[] lines = CSource.Run(source.ToString());
        Assert.Equal(_questions.Count, lines.Length);
        string[] wrong =
        [
            .. _questions
                .Zip(lines, (question, line) => (question, line))
                .Where(pair => pair.question.Expected != decimal.Parse(pair.line, CultureInfo.InvariantCulture))
                .Select(pair => $"{pair.question.What}: {pair.line} in C, {pair.question.Expected} in C#"),
        ];
        Assert.True(wrong.Length == 0, string.Join('\n', wrong));
        return _questions.Count;
    }
}
