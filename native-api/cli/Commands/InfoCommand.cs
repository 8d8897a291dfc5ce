// fastbackup info IMAGE: what an image says of itself, and those that it is based on.
using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using FastBackup.Devices.Opening;
using FastBackup.Formats;
using FastBackup.Formats.Qcow2;

namespace FastBackup.Cli;

static class InfoCommand
{
    public static readonly string[] Examples = ["fastbackup info vm.qcow2", "fastbackup info vm.qcow2 --json"];

    public static Command Create()
    {
        Argument<string> image = PathName.CreateDiskArgument("IMAGE", "Image, raw disk, block device or NBD URI.");
        Command command = new("info", "Show what an image says of itself and of what it is based on.")
        {
            image,
            CommonOptions.IgnoreLocks,
            CommonOptions.Format,
            CommonOptions.Json,
            CommonOptions.Quiet,
        };
        command.SetAction(parsed =>
            Run(
                ImageEngine.Options(
                    parsed.GetRequiredValue(image),
                    parsed.GetValue(CommonOptions.Format),
                    parsed.GetValue(CommonOptions.IgnoreLocks)
                ),
                CommonOptions.CreateOutput(parsed)
            )
        );
        return command;
    }

    static int Run(FileOpenOptions options, Output output)
    {
        List<ImageLayer> layers = [];
        bool isDone = ImageEngine.TryLook(output, engine => ImageChain.TryRead(engine.Reactor, options, out layers));
        for (int i = 0; i < layers.Count; i++)
        {
            if (i > 0)
                output.Line("");
            Write(layers[i], output);
        }
        int exitCode = isDone ? ExitCode.Done : ExitCode.Failed;
        output.Event(
            new ImageDoneEvent("done", "info", ExitCode.Word(exitCode), exitCode, options.Path),
            JsonEvents.Readable.ImageDoneEvent
        );
        return exitCode;
    }

    static void Write(ImageLayer layer, Output output)
    {
        _ = PathLook.TryLook(layer.Path, out PathLook look);
        ulong actualBytes = look.Kind == PathKind.File ? look.AllocatedBytes : layer.FileBytes;
        output.Event(Event(layer, actualBytes), JsonEvents.Readable.ImageEvent);
        Field("image", layer.Path);
        Field("format", layer.Format);
        Field(
            "virtual size",
            IsRead(layer)
                ? Phrases.Text($"{ByteSize.Format(layer.SizeBytes)} ({layer.SizeBytes} bytes)")
                : $"not known: format {layer.Format} is not read here"
        );
        Field("disk size", ByteSize.Format(actualBytes));
        if (layer.Header is not { } header)
            return;
        Field("cluster size", Phrases.Text($"{header.ClusterBytes}"));
        if (header.BackingName is { } backing)
            Field("backing file", $"{backing} (format {header.BackingFormat ?? "not recorded"})");
        if (header.HasDataFile)
            Field("data file", header.DataFileName ?? "not recorded");
        Field("compat", Compat(header));
        Field("compression", CompressionName(header));
        Field("refcount bits", Phrases.Text($"{1 << header.RefcountOrder}"));
        if (header.HasSubclusters)
            Field("extended L2", "yes");
        if (Has(header, Qcow2Features.Dirty))
            Field("dirty", "reference counts may be behind: it was not closed, or is open now");
        if (Has(header, Qcow2Features.Corrupt))
            Field("corrupt", "marked so: 'fastbackup check' shows what is wrong");
        foreach (Qcow2Snapshot snapshot in layer.Snapshots)
            Field("snapshot", $"{snapshot.Name} (id {snapshot.Id}, {Date(snapshot)})");
        foreach (Qcow2Bitmap bitmap in layer.Bitmaps)
            Field("bitmap", $"{bitmap.Name} ({Granularity(bitmap)}, {State(bitmap)})");

        void Field(string name, string text) => output.Line(Phrases.OneLine($"{name + ":", -16}{text}"));
    }

    static ImageEvent Event(ImageLayer layer, ulong actualBytes) =>
        new(
            "image",
            layer.Path,
            layer.Format,
            IsRead(layer) ? layer.SizeBytes : null,
            actualBytes,
            layer.Header?.ClusterBytes,
            layer.Header?.BackingName,
            layer.Header?.BackingFormat,
            layer.Header?.DataFileName,
            layer.Header is { } header ? Compat(header) : null,
            layer.Header is { } packed ? CompressionName(packed) : null,
            layer.Header is { } counted ? 1u << counted.RefcountOrder : null,
            layer.Header?.HasSubclusters,
            layer.Header is { } dirty ? Has(dirty, Qcow2Features.Dirty) : null,
            layer.Header is { } corrupt ? Has(corrupt, Qcow2Features.Corrupt) : null,
            [.. layer.Snapshots.Select(one => new ImageSnapshot(one.Id, one.Name, one.DateSeconds, one.StateBytes))],
            [
                .. layer.Bitmaps.Select(one => new ImageBitmap(
                    one.Name,
                    1UL << Math.Min(one.GranularityBits, 63),
                    one.IsRecording,
                    one.IsInUse
                )),
            ]
        );

    /// <summary>Else its size is that of the file, which says nothing of its disk.</summary>
    static bool IsRead(ImageLayer layer) => layer.Header != null || layer.Format == "raw";

    static bool Has(Qcow2Header header, Qcow2Features feature) => (header.Features & feature) != 0;

    static string Compat(Qcow2Header header) => header.Version == 2 ? "0.10" : "1.1";

    static string CompressionName(Qcow2Header header) => header.Compression == Qcow2Compression.Zstd ? "zstd" : "zlib";

    static string Date(Qcow2Snapshot snapshot) =>
        Phrases.Text($"{DateTimeOffset.FromUnixTimeSeconds(snapshot.DateSeconds):yyyy-MM-dd HH:mm:ss} UTC");

    static string Granularity(Qcow2Bitmap bitmap) => ByteSize.Format(Math.Pow(2, Math.Min(bitmap.GranularityBits, 63)));

    static string State(Qcow2Bitmap bitmap) =>
        bitmap.IsInUse ? "in use: says nothing"
        : bitmap.IsRecording ? "recording"
        : "disabled";
}
