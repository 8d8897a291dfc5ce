// Many mutants in one compilation: each stands behind a question that asks whether it is the one of this
// run (a variable of the environment), beside what was there. What the language does not allow so (constants, patterns,
// variables that a condition declares) stays out, and is compiled by itself.
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

sealed class Switches : CSharpSyntaxRewriter
{
    /// <summary>The number of the mutant in force.</summary>
    public const string Variable = "FASTBACKUP_MUTANT";

    /// <summary>A file that is made where the mutant in force is reached.</summary>
    public const string ReachedVariable = "FASTBACKUP_MUTANT_REACHED";

    /// <summary>Goes into the assembly with them.</summary>
    public const string Question =
        @"namespace FastBackup; static class Mutants {
            static readonly int s_active =
                int.Parse(System.Environment.GetEnvironmentVariable(""FASTBACKUP_MUTANT"") ?? ""-1"");
            static bool s_isReached;
            public static bool Is(int number) {
                if (number != s_active) return false;
                if (!s_isReached) {
                    s_isReached = true;
                    if (System.Environment.GetEnvironmentVariable(""FASTBACKUP_MUTANT_REACHED"") is string path)
                        try { System.IO.File.WriteAllText(path, ""1""); } catch (System.IO.IOException) { }
                }
                return true;
            } }";

    const string Ask = "global::FastBackup.Mutants.Is";

    readonly SemanticModel _model;
    readonly ILookup<SyntaxNode, (int Number, Mutant Mutant)> _at;

    Switches(SemanticModel model, SyntaxNode root, IReadOnlyDictionary<int, Mutant> mutants)
    {
        _model = model;
        _at = mutants.ToLookup(one => PlaceOf(root, one.Value), one => (one.Key, one.Value));
    }

    public static SyntaxTree Plant(SemanticModel model, IReadOnlyDictionary<int, Mutant> mutants)
    {
        SyntaxTree tree = model.SyntaxTree;
        SyntaxNode root = tree.GetRoot();
        string text = new Switches(model, root, mutants).Visit(root)!.ToFullString();
        return tree.WithChangedText(SourceText.From(text, Encoding.UTF8));
    }

    /// <returns>The mutants nearest to a place where the compiler refuses something.</returns>
    public static IEnumerable<int> Near(SyntaxNode plantedRoot, TextSpan span)
    {
        foreach (SyntaxNode node in plantedRoot.FindNode(span).AncestorsAndSelf())
        {
            int[] numbers =
            [
                .. node.DescendantNodesAndSelf()
                    .OfType<InvocationExpressionSyntax>()
                    .Where(call => call.Expression.ToString() == Ask)
                    .Select(call => int.Parse(call.ArgumentList.Arguments[0].ToString(), CultureInfo.InvariantCulture)),
            ];
            if (numbers.Length > 0)
                return numbers;
        }
        return [];
    }

    public override SyntaxNode? Visit(SyntaxNode? node)
    {
        SyntaxNode? planted = base.Visit(node);
        if (node is null || planted is null || !_at.Contains(node))
            return planted;
        foreach ((int number, Mutant mutant) in _at[node].OrderBy(one => one.Mutant.Change == "condition negated"))
            planted = Wrap(node, planted, mutant, number);
        return planted;
    }

    SyntaxNode Wrap(SyntaxNode node, SyntaxNode planted, Mutant mutant, int number)
    {
        string asked = $"{Ask}({number})";
        if (node is StatementSyntax)
            return SyntaxFactory.ParseStatement($"{{ if (!{asked}) {{ {planted} }} }}").WithTriviaFrom(node);
        string text =
            mutant.Change == "condition negated" ? $"({asked} ^ ({planted}))"
            : planted is BinaryExpressionSyntax pair
                ? $"({asked} ? ({pair.Left}) {mutant.Text} ({pair.Right}) : "
                    + $"({pair.Left}) {pair.OperatorToken} ({pair.Right}))"
            : mutant.Change.StartsWith("Math", System.StringComparison.Ordinal)
            && planted is InvocationExpressionSyntax call
                ? $"({asked} ? {mutant.Text}{call.ArgumentList} : {call})"
            : $"({asked} ? {mutant.Text} : {planted})";
        return SyntaxFactory.ParseExpression(Cast(node) + text).WithTriviaFrom(node);
    }

    /// <summary>A number takes the type that is asked for there by itself only while it is a constant.</summary>
    string Cast(SyntaxNode node)
    {
        bool isConstant = node is LiteralExpressionSyntax || _model.GetConstantValue(node).HasValue;
        ITypeSymbol? type = isConstant ? _model.GetTypeInfo(node).ConvertedType : null;
        return type?.SpecialType is >= SpecialType.System_Char and <= SpecialType.System_UIntPtr
            ? $"({type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)})"
            : "";
    }

    static SyntaxNode PlaceOf(SyntaxNode root, Mutant mutant)
    {
        SyntaxToken token = root.FindToken(mutant.Span.Start);
        if (token.Span == mutant.Span && token.Parent is BinaryExpressionSyntax pair)
            return pair;
        bool isNegated = mutant.Change == "condition negated";
        SyntaxNode found = root.FindNode(mutant.Span, getInnermostNodeForTie: !isNegated);
        while (isNegated && found is not ExpressionSyntax && found.ChildNodes().First() is { } inner)
            found = inner;
        bool isCall = mutant.Change.StartsWith("Math", System.StringComparison.Ordinal);
        return isCall ? found.AncestorsAndSelf().OfType<InvocationExpressionSyntax>().First() : found;
    }
}
