// A C struct with its members in order; those of unnamed unions and structs inside it are its own.
namespace FastBackup.Interop.Generator;

/// <param name="Name">The tag.</param>
/// <param name="Fields">In order of declaration.</param>
/// <param name="Place">Where it stands in its file.</param>
sealed record CStruct(string Name, CField[] Fields, SourcePlace Place);
