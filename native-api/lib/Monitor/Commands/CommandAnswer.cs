// How a command ended, or that it has not yet.
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

/// <param name="Value">What it returns, or null.</param>
/// <param name="Error">Why it was refused, or null.</param>
readonly record struct CommandAnswer(JsonValue? Value, QmpError? Error)
{
    /// <summary>The answer comes through <see cref="CommandCall.Finish"/>.</summary>
    public static CommandAnswer Later => default;

    public static CommandAnswer Done => JsonValue.Empty;

    public bool IsLater => Value == null && Error == null;

    /// <summary>As it is sent.</summary>
    /// <param name="id">What the client called its command; null: nothing.</param>
    public JsonValue ToJson(JsonValue? id) =>
        Error == null
            ? JsonValue.Object(("return", Value), ("id", id))
            : JsonValue.Object(("id", id), ("error", Error.ToJson()));

    public static implicit operator CommandAnswer(JsonValue value) => new(value, null);

    public static implicit operator CommandAnswer(QmpError error) => new(null, error);
}
