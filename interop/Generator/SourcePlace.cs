// Where a declaration stands in its file.
namespace FastBackup.Interop.Generator;

/// <param name="Start">Bytes from the start of the file to its first token.</param>
/// <param name="End">Bytes from the start of the file to behind its last token.</param>
readonly record struct SourcePlace(int Start, int End);
