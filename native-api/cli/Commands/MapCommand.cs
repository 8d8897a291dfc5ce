// fastbackup map IMAGE: what is stored where in a chain of images, and what reads as zero.
using System.Collections.Generic;
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Ports;
using FastBackup.Runtime;

namespace FastBackup.Cli;

static class MapCommand
{
    public static readonly string[] Examples = ["fastbackup map vm.qcow2", "fastbackup map vm.qcow2 --json"];

    public static Command Create()
    {
        Argument<string> image = PathName.CreateDiskArgument("IMAGE", "Image, raw disk, block device or NBD URI.");
        Command command = new("map", "Show what a disk stores where: data, zeroes, holes, and in which layer.")
        {
            image,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(
                parsed.GetRequiredValue(image),
                parsed.GetValue(CommonOptions.Format),
                parsed.GetValue(CommonOptions.IgnoreLocks),
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(string path, FormatRule format, bool isLockIgnored, Output output)
    {
        bool isDone = ImageEngine.TryLook(
            output,
            engine =>
            {
                OpenRefusal refusal = SourceDisk.TryOpen(
                    engine.Reactor,
                    path,
                    "disk",
                    isLockIgnored,
                    format,
                    out IBlockDevice? device
                );
                if (device == null)
                    return refusal;
                SourceDisk.WarnOfUse(device, "disk", output);
                refusal = Write(engine, device, output);
                if (engine.Reactor.Failure == null)
                    engine.Reactor.Invoke(device.DisposeWhenIdle);
                return refusal;
            }
        );
        int exitCode = isDone ? ExitCode.Done : ExitCode.Failed;
        output.Event(
            new ImageDoneEvent("done", "map", ExitCode.Word(exitCode), exitCode, path),
            JsonEvents.Readable.ImageDoneEvent
        );
        return exitCode;
    }

    static OpenRefusal Write(Engine engine, IBlockDevice device, Output output)
    {
        output.Line($"{"offset", 16} {"length", 16}  kind  layer");
        List<Fault> faults = [];
        foreach (MapEntry entry in ImageMap.Read(engine, device, faults))
        {
            string kind = entry.Kind switch
            {
                ExtentKind.Data => "data",
                ExtentKind.Zero => "zero",
                _ => "hole",
            };
            string layer = entry.Kind == ExtentKind.Hole ? "-" : Phrases.Text($"{entry.Depth}");
            output.Line(Phrases.Text($"{entry.OffsetBytes, 16} {entry.LengthBytes, 16}  {kind}  {layer}"));
            output.Event(
                new ExtentEvent(
                    "extent",
                    entry.OffsetBytes,
                    entry.LengthBytes,
                    entry.Depth,
                    entry.Kind != ExtentKind.Hole,
                    entry.ReadsAsZero,
                    entry.Kind == ExtentKind.Data
                ),
                JsonEvents.Readable.ExtentEvent
            );
        }
        return faults.Count == 0
            ? default
            : new OpenRefusal(
                faults[0].IsFault ? faults[0] : new Fault(FaultKind.Unsupported),
                $"cannot read the map of '{device.Name}': {SourceDisk.Explain(device, faults[0])}"
            );
    }
}
