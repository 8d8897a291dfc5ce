// A member of a C struct, or a parameter of a C function, as clang names it.
namespace FastBackup.Interop.Generator;

/// <param name="Name">In C.</param>
/// <param name="Type">As written in C, for example "const char *".</param>
/// <param name="Place">Where it stands in its file.</param>
sealed record CField(string Name, string Type, SourcePlace Place);
