// All mutants of one file, in the order of their places: the same file gives the same list.
//
//   condition   of if, while, for, do and ?: becomes its opposite
//   operator    < and <=, > and >=, == and !=, && and ||, + and -, & and |, << and >> change places
//   choice      Math.Min and Math.Max, true and false, 0 and 1 change places
//   statement   a call, an assignment, a step, a break or a continue is left out
//   fence       Volatile.Read(ref x) becomes x
//
// Left alone: Check.That (it only tells of a fault that something else made), what tracing is told, attributes,
// and constants of enums.
using System;
using System.Collections.Generic;
using System.Linq;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

sealed class MutantFinder : CSharpSyntaxWalker
{
    static readonly Dictionary<SyntaxKind, string> Opposites = new()
    {
        [SyntaxKind.LessThanToken] = "<=",
        [SyntaxKind.LessThanEqualsToken] = "<",
        [SyntaxKind.GreaterThanToken] = ">=",
        [SyntaxKind.GreaterThanEqualsToken] = ">",
        [SyntaxKind.EqualsEqualsToken] = "!=",
        [SyntaxKind.ExclamationEqualsToken] = "==",
        [SyntaxKind.AmpersandAmpersandToken] = "||",
        [SyntaxKind.BarBarToken] = "&&",
        [SyntaxKind.PlusToken] = "-",
        [SyntaxKind.MinusToken] = "+",
        [SyntaxKind.AmpersandToken] = "|",
        [SyntaxKind.BarToken] = "&",
        [SyntaxKind.LessThanLessThanToken] = ">>",
        [SyntaxKind.GreaterThanGreaterThanToken] = "<<",
    };

    static readonly string[] LeftAlone = ["Check.", "_trace.Emit"];

    readonly SourceText _text;
    readonly List<Mutant> _found = [];

    MutantFinder(SourceText text) => _text = text;

    public static List<Mutant> Find(SyntaxTree tree)
    {
        MutantFinder finder = new(tree.GetText());
        finder.Visit(tree.GetRoot());
        return [.. finder._found.OrderBy(one => one.Span.Start).ThenBy(one => one.Change, StringComparer.Ordinal)];
    }

    public override void VisitAttributeList(AttributeListSyntax node) { }

    public override void VisitEnumDeclaration(EnumDeclarationSyntax node) { }

    public override void VisitIfStatement(IfStatementSyntax node)
    {
        if (IsLeftAlone(node.Condition))
        {
            if (node.Else is not null)
                Visit(node.Else);
            return;
        }
        Negate(node.Condition);
        base.VisitIfStatement(node);
    }

    public override void VisitWhileStatement(WhileStatementSyntax node)
    {
        Negate(node.Condition);
        base.VisitWhileStatement(node);
    }

    public override void VisitDoStatement(DoStatementSyntax node)
    {
        Negate(node.Condition);
        base.VisitDoStatement(node);
    }

    public override void VisitForStatement(ForStatementSyntax node)
    {
        if (node.Condition is not null)
            Negate(node.Condition);
        base.VisitForStatement(node);
    }

    public override void VisitConditionalExpression(ConditionalExpressionSyntax node)
    {
        Negate(node.Condition);
        base.VisitConditionalExpression(node);
    }

    public override void VisitBinaryExpression(BinaryExpressionSyntax node)
    {
        bool isText = node.DescendantTokens().Any(token => token.IsKind(SyntaxKind.StringLiteralToken));
        if (!isText && Opposites.TryGetValue(node.OperatorToken.Kind(), out string? opposite))
            Add(node.OperatorToken.Span, opposite, $"{node.OperatorToken.Text} -> {opposite}");
        base.VisitBinaryExpression(node);
    }

    public override void VisitLiteralExpression(LiteralExpressionSyntax node)
    {
        string? other = node.Token.Text switch
        {
            "0" => "1",
            "1" => "0",
            "1UL" => "0UL",
            "true" => "false",
            "false" => "true",
            _ => null,
        };
        bool isForever = node.Parent is WhileStatementSyntax;
        if (other is not null && !isForever)
            Add(node.Span, other, $"{node.Token.Text} -> {other}");
    }

    public override void VisitInvocationExpression(InvocationExpressionSyntax node)
    {
        string called = node.Expression.ToString();
        if (called is "Math.Min" or "Math.Max")
        {
            string other = called == "Math.Min" ? "Math.Max" : "Math.Min";
            Add(node.Expression.Span, other, $"{called} -> {other}");
        }
        if (called == "Volatile.Read")
            Add(node.Span, node.ArgumentList.Arguments[0].Expression.ToString(), "Volatile.Read -> plain");
        base.VisitInvocationExpression(node);
    }

    public override void VisitExpressionStatement(ExpressionStatementSyntax node)
    {
        if (IsLeftAlone(node))
            return;
        Add(node.Span, ";", "statement left out");
        base.VisitExpressionStatement(node);
    }

    public override void VisitBreakStatement(BreakStatementSyntax node)
    {
        if (node.Parent is not SwitchSectionSyntax)
            Add(node.Span, ";", "break left out");
    }

    public override void VisitContinueStatement(ContinueStatementSyntax node) =>
        Add(node.Span, ";", "continue left out");

    void Negate(ExpressionSyntax condition)
    {
        // The opposite of a comparison by == or != is that of its operator; of true, nothing that ends.
        bool isElsewhere = condition.Kind() is SyntaxKind.EqualsExpression or SyntaxKind.NotEqualsExpression;
        if (!isElsewhere && !condition.IsKind(SyntaxKind.TrueLiteralExpression))
            Add(condition.Span, $"!({condition})", "condition negated");
    }

    void Add(TextSpan span, string text, string change)
    {
        TextLine line = _text.Lines.GetLineFromPosition(span.Start);
        _found.Add(new Mutant(span, text, change, line.LineNumber + 1, line.ToString().Trim()));
    }

    static bool IsLeftAlone(SyntaxNode node)
    {
        string text = node.ToString();
        return LeftAlone.Any(one => text.StartsWith(one, StringComparison.Ordinal));
    }
}
