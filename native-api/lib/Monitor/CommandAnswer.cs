// How a command ended, or that it has not yet.
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor;

/// <param name="Value">What it returns, or null.</param>
/// <param name="Error">Why it was refused, or null.</param>
readonly record struct CommandAnswer(JsonValue? Value, QmpError? Error)
{
    /// <summary>The answer comes through <see cref="CommandCall.Finish"/>.</summary>
    public static CommandAnswer Later => default;

    public static CommandAnswer Done => JsonValue.Empty;

    public bool IsLater => Value == null && Error == null;

    public static implicit operator CommandAnswer(JsonValue value) => new(value, null);

    public static implicit operator CommandAnswer(QmpError error) => new(null, error);
}
