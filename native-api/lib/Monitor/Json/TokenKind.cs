// The tokens of JSON.
namespace FastBackup.Native.Monitor.Json;

enum TokenKind : byte
{
    /// <summary>Characters that begin no token; they are told to the client.</summary>
    Stray,
    LeftBrace,
    RightBrace,
    LeftSquare,
    RightSquare,
    Colon,
    Comma,
    Integer,
    Float,
    Keyword,

    /// <summary>With its quotes.</summary>
    String,
}
