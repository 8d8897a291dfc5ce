// fastbackup demo: options only; DemoRun does the work.
using System.CommandLine;
using System.IO;
using FastBackup.Base;
using FastBackup.Copy;

namespace FastBackup.Cli;

static class DemoCommand
{
    const ulong SizeBytesDefault = Units.GiB;
    const ulong SizeBytesMin = Units.MiB;
    const ulong SizeBytesMax = 16 * Units.TiB;

    public static readonly string[] Examples = ["fastbackup demo", "fastbackup demo --size 256MiB --dir ."];

    public static Command Create()
    {
        Option<ulong?> size = SizeOption.Create("--size", "Size of the disk; 1GiB by default.", CheckSize);
        Option<string?> folder = new("--dir")
        {
            Description = "Where its files lie meanwhile; the system's folder for temporary files by default.",
            HelpName = "DIR",
        };
        Option<GuestPriority> guestPriority = GuestPriorityOption.Create();
        Command command = new("demo", "Make a disk, back it up, compare, show the figures, remove everything.")
        {
            size,
            folder,
            guestPriority,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
        {
            using Interruption interruption = new();
            Output output = new(isJson: false, parsed.GetValue(CommonOptions.Quiet));
            return new DemoRun(
                parsed.GetValue(size) ?? SizeBytesDefault,
                parsed.GetValue(folder) ?? Path.GetTempPath(),
                parsed.GetValue(guestPriority),
                output,
                interruption
            ).Execute();
        });
        return command;
    }

    static string? CheckSize(ulong bytes) =>
        bytes < SizeBytesMin ? "is below the smallest, 1MiB"
        : bytes > SizeBytesMax ? "is above the largest, 16TiB"
        : null;
}
