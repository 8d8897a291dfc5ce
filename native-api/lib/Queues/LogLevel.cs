// FB_LOG_*, and events in words.
using System.Globalization;
using System.Text;
using FastBackup.Native.Errors;
using FastBackup.Native.Jobs;
using FastBackup.Native.Structs;

namespace FastBackup.Native.Queues;

static class LogLevel
{
    public const uint Error = 1;
    public const uint Warning = 2;
    public const uint Notice = 3;

    public static uint Of(in EventStruct happened) =>
        happened.Kind switch
        {
            EventKind.DeviceError => Warning,
            EventKind.JobEnded when happened.Status is not (Status.Ok or Status.Canceled) => Error,
            _ => Notice,
        };

    /// <summary>One line for people.</summary>
    public static string Describe(in EventStruct happened)
    {
        string status = Encoding.ASCII.GetString(Status.Name(happened.Status)).TrimEnd('\0');
        string job = string.Create(CultureInfo.InvariantCulture, $"job {happened.Job:x}");
        string where = (happened.Flags & EventKind.IsSource) != 0 ? "source" : "target";
        return happened.Kind switch
        {
            EventKind.DeviceError => string.Create(
                CultureInfo.InvariantCulture,
                $"{job}: its {where} failed with {status}, errno {happened.SysErrno}"
            ),
            EventKind.JobWaits => job + " waits for finalize",
            EventKind.JobEnded => job + " has ended: " + status,
            _ => string.Create(CultureInfo.InvariantCulture, $"{job} is in state {happened.Value}"),
        };
    }
}
