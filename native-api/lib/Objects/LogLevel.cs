// Events in words, and how loud each is: FB_LOG_*.
using System.Globalization;
using System.Text;
using FastBackup.Native.Errors;
using FastBackup.Native.Header;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Objects;

static class LogLevel
{
    public static uint Of(in EventStruct happened) =>
        happened.Kind switch
        {
            Fb.EventDeviceError => Fb.LogWarning,
            Fb.EventJobEnded when happened.Status is not (Status.Ok or Status.Canceled) => Fb.LogError,
            _ => Fb.LogNotice,
        };

    /// <summary>One line for people.</summary>
    public static string Describe(in EventStruct happened)
    {
        string status = Encoding.ASCII.GetString(Status.Name(happened.Status)).TrimEnd('\0');
        string job = string.Create(CultureInfo.InvariantCulture, $"job {happened.Job:x}");
        string where = (happened.Flags & Fb.EventIsSource) != 0 ? "source" : "target";
        return happened.Kind switch
        {
            Fb.EventDeviceError => string.Create(
                CultureInfo.InvariantCulture,
                $"{job}: its {where} failed with {status}, errno {happened.SysErrno}"
            ),
            Fb.EventJobWaits => job + " waits for finalize",
            Fb.EventJobEnded => job + " has ended: " + status,
            _ => string.Create(CultureInfo.InvariantCulture, $"{job} is in state {happened.Value}"),
        };
    }
}
