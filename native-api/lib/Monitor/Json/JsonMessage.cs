// What a client's bytes amount to: a value, or why they are none.
namespace FastBackup.Native.Monitor.Json;

/// <param name="Value">What was said; null when it could not be understood.</param>
/// <param name="Problem">For the client, else null.</param>
/// <param name="IsTooLong">A limit of memory was passed: nothing that follows can be told from its middle.</param>
readonly record struct JsonMessage(JsonValue? Value, string? Problem, bool IsTooLong = false);
