// Tells whether any test comes to the place of a mutant: by ending the process there. A place is the nearest statement
// of a block, or the nearest body that is one expression.
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

static class Reached
{
    /// <returns>The mutant that ends the process, or null where no code runs (a constant, a field).</returns>
    public static Mutant? EndAt(SyntaxNode root, Mutant mutant)
    {
        for (SyntaxNode? node = root.FindNode(mutant.Span); node is not null; node = node.Parent)
        {
            if (node is StatementSyntax && node.Parent is BlockSyntax or SwitchSectionSyntax)
            {
                TextSpan before = new(node.SpanStart, 0);
                return mutant with { Span = before, Text = "System.Environment.FailFast(null);" };
            }
            if (node is ArrowExpressionClauseSyntax arrow)
                return mutant with { Span = arrow.Expression.Span, Text = "throw new System.NotSupportedException()" };
        }
        return null;
    }
}
