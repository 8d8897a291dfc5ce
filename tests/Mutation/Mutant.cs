// One small fault put into one place of a source file.
using Microsoft.CodeAnalysis.Text;

namespace FastBackup.Tests.Mutation;

/// <param name="Span">The text that is replaced.</param>
/// <param name="Text">What stands there instead.</param>
/// <param name="Change">For people: what was, and what is.</param>
/// <param name="LineNumber">From 1.</param>
/// <param name="Line">The line as it was, without its indentation.</param>
sealed record Mutant(TextSpan Span, string Text, string Change, int LineNumber, string Line);
