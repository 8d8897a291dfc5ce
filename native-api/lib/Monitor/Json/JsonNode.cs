// One value of a document, or the name of a member: a place in the document's text, and where its insides end.
using System.Runtime.InteropServices;

namespace FastBackup.Native.Monitor.Json;

[StructLayout(LayoutKind.Auto)]
struct JsonNode
{
    public JsonKind Kind;

    /// <summary>Of a member's name: somebody has asked for the member.</summary>
    public bool IsAsked;

    /// <summary>Its first byte; of a string the one behind the quote.</summary>
    public int Start;

    /// <summary>Bytes; of a string what it means, without escapes. Of a list and an object nothing.</summary>
    public int Length;

    /// <summary>The node behind it and all that is inside it.</summary>
    public int End;
}
