// One token of a message, as a place in the message's text.
namespace FastBackup.Native.Monitor.Json;

/// <param name="Kind">What it is.</param>
/// <param name="Start">Its first byte.</param>
/// <param name="Length">Bytes.</param>
readonly record struct JsonToken(TokenKind Kind, int Start, int Length);
