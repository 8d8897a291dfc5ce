// fastbackup check IMAGE: do the tables of a qcow2 image agree? Only reads.
using System.CommandLine;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Cli;

static class CheckCommand
{
    public static readonly string[] Examples = ["fastbackup check vm.qcow2", "fastbackup check vm.qcow2 --json"];

    public static Command Create()
    {
        Argument<string> image = PathName.CreateArgument(
            "IMAGE",
            "A qcow2 image; those it is based on are not looked at."
        );
        Command command = new("check", "Say whether the tables of a qcow2 image agree. Ends with 3: leaks, 4: corrupt.")
        {
            image,
            CommonOptions.IgnoreLocks,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(
                ImageEngine.Options(
                    parsed.GetRequiredValue(image),
                    FormatRule.Noted,
                    parsed.GetValue(CommonOptions.IgnoreLocks)
                ),
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(FileOpenOptions options, Output output)
    {
        CheckFindings? findings = null;
        bool isDone = ImageEngine.TryLook(
            output,
            engine =>
            {
                OpenRefusal refusal = ImageChain.TryOpenFile(
                    engine.Reactor,
                    options,
                    out IBlockDevice? device,
                    out Qcow2Header? header
                );
                if (device == null)
                    return refusal;
                SourceDisk.WarnOfUse(device, "image", output);
                if (header == null)
                    refusal = OpenRefusal.Rule($"'{options.Path}' is no qcow2 image; only those can be checked");
                else
                    findings = Check(engine, device, header);
                if (engine.Reactor.Failure == null)
                    engine.Reactor.Invoke(device.DisposeWhenIdle);
                return refusal;
            }
        );
        return Conclude(options.Path, isDone ? findings : null, output);
    }

    static CheckFindings Check(Runtime.Engine engine, IBlockDevice device, Qcow2Header header)
    {
        using DeviceReader reader = new(engine.Reactor, device);
        CheckFindings findings = Qcow2Check.Run(reader, header);
        if ((header.Features & Qcow2Features.Corrupt) != 0 && findings.Corruptions == 0)
            findings.Note("marked as corrupt by its header, so nobody opens it: 'qemu-img check -r all'");
        return findings;
    }

    static int Conclude(string path, CheckFindings? findings, Output output)
    {
        foreach (string sentence in findings?.Sentences ?? [])
        {
            output.Line(sentence);
            output.Event(new FindingEvent("finding", sentence), JsonEvents.Readable.FindingEvent);
        }
        if (findings?.Incomplete is { } why)
            output.Error($"'{path}' could not be checked to the end: {why}", new Fault(FaultKind.Invalid));
        (string status, int exitCode) = findings switch
        {
            null => ("failed", ExitCode.Failed),
            { Corruptions: > 0 } => ("corrupt", ExitCode.Corrupt),
            { Incomplete: not null } => ("failed", ExitCode.Failed),
            { Leaks: > 0 } => ("leaks", ExitCode.Leaks),
            _ => ("clean", ExitCode.Done),
        };
        if (findings != null)
            output.Line(Describe(status, findings));
        output.Event(
            new ImageDoneEvent(
                "done",
                "check",
                status,
                exitCode,
                path,
                findings?.Corruptions,
                findings?.Leaks,
                findings?.TotalClusters,
                findings?.AllocatedClusters,
                findings?.CompressedClusters,
                findings?.EndBytes
            ),
            JsonEvents.Readable.ImageDoneEvent
        );
        return exitCode;
    }

    static string Describe(string status, CheckFindings findings)
    {
        double share = findings.TotalClusters == 0 ? 0 : 100.0 * findings.AllocatedClusters / findings.TotalClusters;
        return Phrases.Text($"{status}: {findings.Corruptions} corruptions, {findings.Leaks} leaked clusters; ")
            + Phrases.Text(
                $"{findings.AllocatedClusters} of {findings.TotalClusters} clusters allocated ({share:0.0} %), "
            )
            + Phrases.Text($"{findings.CompressedClusters} of them compressed; ends at {findings.EndBytes}");
    }
}
