// Why a command was refused: class and description, as QMP has them. Scripts look at the class and at some
// descriptions, so both are QEMU's own wherever it has the same refusal.
// Source: QEMU 7.2 qapi/error.json.
using System.Runtime.InteropServices;
using FastBackup.Base;
using FastBackup.Devices.Opening;
using FastBackup.Native.Errors;
using FastBackup.Native.Monitor.Json;

namespace FastBackup.Native.Monitor.Commands;

/// <param name="Class">GenericError, CommandNotFound, DeviceNotActive or DeviceNotFound.</param>
/// <param name="Text">For people.</param>
sealed record QmpError(string Class, string Text)
{
    public static QmpError Generic(string text) => new("GenericError", text);

    public static QmpError NotFound(string text) => new("CommandNotFound", text);

    public static QmpError NotActive(string text) => new("DeviceNotActive", text);

    /// <summary>A refusal of the engine or of the library, in its own words.</summary>
    public static QmpError Of(Answer answer) => Generic(answer.Text ?? answer.Fault.ToString());

    /// <summary>The system's words for a number, else the engine's.</summary>
    public static string Describe(Fault fault) =>
        fault.Errno != 0 ? Marshal.GetPInvokeErrorMessage(fault.Errno) : fault.ToString();

    public static QmpError Of(OpenRefusal refusal) => Generic(refusal.Sentence);

    public JsonValue ToJson() => JsonValue.Object(("class", JsonValue.Of(Class)), ("desc", JsonValue.Of(Text)));
}
