// A row of KernelTable: one member of a struct.
namespace FastBackup.Interop.Generator;

/// <param name="CName">In C.</param>
/// <param name="Name">In C#.</param>
/// <param name="Doc">A sentence, or nothing where the name says it.</param>
sealed record KernelField(string CName, string Name, string Doc = "");
