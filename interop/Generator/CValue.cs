// What the compiler said about an expression.
using System.Globalization;

namespace FastBackup.Interop.Generator;

/// <param name="Type">int, uint, long or ulong.</param>
/// <param name="Bits">The value, with its sign extended to 64 bits.</param>
readonly record struct CValue(string Type, ulong Bits)
{
    public int AsCount => checked((int)Bits);

    /// <summary>The value as C# writes it.</summary>
    public string Literal =>
        Type is "uint" or "ulong"
            ? Bits.ToString(CultureInfo.InvariantCulture)
            : ((long)Bits).ToString(CultureInfo.InvariantCulture);

    public string HexLiteral => "0x" + Bits.ToString("x", CultureInfo.InvariantCulture);
}
