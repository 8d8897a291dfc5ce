// A row of KernelTable: one struct.
namespace FastBackup.Interop.Generator;

/// <param name="CName">The tag in C.</param>
/// <param name="Name">The type in C#.</param>
/// <param name="Doc">A sentence.</param>
/// <param name="Fields">Those that get a name, in order.</param>
sealed record KernelStruct(string CName, string Name, string Doc, KernelField[] Fields)
{
    /// <summary>As an expression names the type: with its keyword.</summary>
    public string CType => "struct " + CName;
}
