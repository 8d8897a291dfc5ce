// What a client's bytes amount to: a value, or why they are none.
namespace FastBackup.Native.Monitor.Json;

/// <param name="Document">What was said, until the next byte is read; null when it could not be understood.</param>
/// <param name="Kind">Of what was said.</param>
/// <param name="Problem">For the client, else null.</param>
/// <param name="IsTooLong">A limit of memory was passed: nothing that follows can be told from its middle.</param>
readonly record struct JsonMessage(JsonDocument? Document, JsonKind Kind, string? Problem, bool IsTooLong = false);
