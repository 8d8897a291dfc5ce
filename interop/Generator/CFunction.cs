// A C function's declaration.
namespace FastBackup.Interop.Generator;

/// <param name="Name">In C.</param>
/// <param name="ReturnType">As written in C.</param>
/// <param name="Parameters">In order.</param>
/// <param name="Place">Where it stands in its file.</param>
sealed record CFunction(string Name, string ReturnType, CField[] Parameters, SourcePlace Place);
