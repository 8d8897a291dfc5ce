// A function fits on one screen: 60 lines are wanted, 100 are the end. Found by counting braces in the code
// view: a body that opens directly inside a type is a member. Tables (a member with '=' before its body) are
// not functions.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using FastBackup.Tests.Tidy.Source;
using Xunit;

namespace FastBackup.Tests.Tidy;

public sealed partial class FunctionLengthTests
{
    const int LinesMax = 100;

    enum Scope
    {
        Outside, // the file, a namespace or a type: members may begin here
        Table,
        Member,
    }

    [Fact]
    public void Functions_AreAtMost100Lines() =>
        Violation.AssertNone(Tree.CSharp.Where(file => !file.IsGenerated).SelectMany(Find));

    [Fact]
    public void LongFunction_IsFound()
    {
        string body = string.Concat(Enumerable.Repeat("        Step();\n", LinesMax));
        Violation found = Assert.Single(
            Find(new SourceFile("core/A.cs", "class A\n{\n    void F(int a = 1)\n    {\n" + body + "    }\n}\n"))
        );
        Assert.Equal(3, found.Line);
        Assert.Single(Find(new SourceFile("core/A.cs", "class A {\n int F() => G() switch {\n" + body + "};\n}\n")));
        Assert.Single(Find(new SourceFile("core/A.cs", "namespace N { struct A { A() : this(1) {\n" + body + "}}}\n")));
    }

    [Fact]
    public void LongTypesAndTables_AreFine()
    {
        string members = string.Concat(Enumerable.Repeat("    void F() { if (x) { y(); } }\n", LinesMax + 1));
        Assert.Empty(Find(new SourceFile("core/A.cs", "class A\n{\n" + members + "}\n")));
        string rows = string.Concat(Enumerable.Repeat("    1,\n", LinesMax + 1));
        Assert.Empty(Find(new SourceFile("core/A.cs", "class A { static readonly int[] T =\n{\n" + rows + "};\n}\n")));
        Assert.Empty(Find(new SourceFile("core/A.cs", "enum A\n{\n" + rows + "}\n")));
    }

    static IEnumerable<Violation> Find(SourceFile file)
    {
        Stack<Scope> scopes = [];
        scopes.Push(Scope.Outside);
        string code = file.Code;
        int headerStart = 0; // after the last ; { or } outside a member
        int memberStart = 0;
        for (int at = 0; at < code.Length; at++)
        {
            if (code[at] == ';' && scopes.Peek() == Scope.Outside)
                headerStart = at + 1;
            else if (code[at] == '{')
            {
                Scope outer = scopes.Peek();
                Scope inner = outer == Scope.Outside ? ScopeOf(code[headerStart..at]) : outer;
                if (outer == Scope.Outside && inner == Scope.Member)
                    memberStart = at - code.AsSpan(headerStart, at - headerStart).TrimStart().Length;
                scopes.Push(inner);
                headerStart = at + 1;
            }
            else if (code[at] == '}' && scopes.Count > 1)
            {
                bool wasMember = scopes.Pop() == Scope.Member && scopes.Peek() == Scope.Outside;
                int lineCount = file.LineOf(at) - file.LineOf(memberStart) + 1;
                if (wasMember && lineCount > LinesMax)
                    yield return new Violation(
                        file.Path,
                        file.LineOf(memberStart),
                        $"{lineCount} lines in one member; at most {LinesMax}"
                    );
                headerStart = at + 1;
            }
        }
    }

    static Scope ScopeOf(string header)
    {
        string outsideBrackets = BracketPattern().Replace(BracketPattern().Replace(header, ""), "");
        return TypePattern().IsMatch(outsideBrackets) ? Scope.Outside
            : AssignmentPattern().IsMatch(outsideBrackets) ? Scope.Table
            : Scope.Member;
    }

    [GeneratedRegex(@"\([^()]*\)|\[[^\[\]]*\]")]
    private static partial Regex BracketPattern();

    [GeneratedRegex(@"(?<![\w.])(namespace|class|struct|interface|enum|record|extension)\b")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"(?<![=!<>+\-*/&|^])=(?![=>])")]
    private static partial Regex AssignmentPattern();
}
