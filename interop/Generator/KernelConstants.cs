// A row of KernelTable: constants of one kind.
namespace FastBackup.Interop.Generator;

/// <param name="Type">In C#: that of the member or parameter that takes them.</param>
/// <param name="IsBits">Written in hexadecimal.</param>
/// <param name="Names">In C and in C#.</param>
sealed record KernelConstants(string Type, bool IsBits, string[] Names);
