// Opens a qcow2 image with all that it is made of, from the top down: the topmost for writing where that is asked for;
// then builds the devices from the bottom up. A refusal closes what was opened.
//
//   backing file   by its recorded format. Where none is recorded it has to look raw: what a guest has written to a raw
//                  disk must not make an image of it, with names of files in it. So does libvirt.
//   a circle       a file that was met before is refused; so are chains of more than LayersMax images
//   memory         L1 tables of all layers together take L1BytesMax at most
//   refused        corrupt images, as long as their mark says so; encrypted ones; unknown features
//
// Cold: allocates, and waits for storage.
using System;
using System.Collections.Generic;
using System.Globalization;
using FastBackup.Base;
using FastBackup.Devices;
using FastBackup.Devices.Opening;
using FastBackup.Memory;
using FastBackup.Ports;
using FastBackup.Ports.Linux;

namespace FastBackup.Formats.Qcow2;

/// <summary>Threads: one, any but the loop's. Used once.</summary>
/// <param name="loop">Drives the devices; it must run.</param>
/// <param name="options">As for the topmost file.</param>
/// <param name="mayNameFiles">Files that the image names are opened.</param>
sealed class Qcow2Opening(IIoLoop loop, FileOpenOptions options, bool mayNameFiles)
{
    const int LayersMax = 200;
    const ulong L1BytesMax = 256 * Units.MiB;
    const int CrewMax = 8;

    sealed class Layer
    {
        public required string Path { get; init; }
        public required IBlockDevice File { get; init; }
        public Qcow2Header? Header { get; set; }
        public NativeArray<ulong>? L1 { get; set; }
        public IBlockDevice? DataFile { get; set; }
        public WritableParts? Writable { get; set; }
    }

    readonly List<Layer> _layers = [];
    readonly HashSet<FileIdentity> _met = [];
    IBlockDevice? _floor; // raw, under the last layer
    ulong _l1Bytes;

    /// <param name="file">Of the topmost image; owned from here.</param>
    /// <param name="device">Null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryOpen(IBlockDevice file, out IBlockDevice? device)
    {
        device = null;
        OpenRefusal refusal = default;
        IBlockDevice? next = file;
        string path = options.Path;
        try
        {
            while (next != null && refusal.IsNone)
            {
                Layer layer = new() { Path = path, File = next };
                _layers.Add(layer);
                refusal = TryRead(layer);
                next = null;
                if (refusal.IsNone && layer.Header!.BackingName is { } name)
                    refusal = TryOpenBacking(layer, name, out path, out next);
            }
            device = refusal.IsNone ? Build() : null;
        }
        finally
        {
            if (device == null)
                CloseAll();
        }
        return refusal;
    }

    OpenRefusal TryRead(Layer layer)
    {
        if (_layers.Count > LayersMax)
            return OpenRefusal.Rule($"'{options.Path}' is based on more than {LayersMax} images, one upon the other");
        if (BorrowedDevice.Behind(layer.File) is FileDevice { Kin.Identity: var identity } && !_met.Add(identity))
            return OpenRefusal.Rule($"'{options.Path}' is based on '{layer.Path}', which is based on itself");
        if (layer == _layers[0] && !options.IsReadOnly && layer.File.Limits.MayRepeatWrites)
            return OpenRefusal.Rule(
                $"'{layer.Path}' is written to over a connection that is made again when it ends, and its tables "
                    + "would not survive a request that comes late; open the server's disk without reconnect-delay"
            );
        using DeviceReader reader = new(loop, layer.File);
        OpenRefusal refusal = Qcow2Tables.TryReadHeader(reader, layer.Path, out Qcow2Header? header);
        if (!refusal.IsNone)
            return refusal;
        layer.Header = header;
        if ((header!.Features & Qcow2Features.Corrupt) != 0)
            return OpenRefusal.Rule(
                $"'{layer.Path}' is marked as corrupt; look at it with 'fastbackup check', and repair it with "
                    + "'qemu-img check -r all'"
            );
        if (!mayNameFiles && (header.BackingName != null || header.HasDataFile))
            return new OpenRefusal(
                new Fault(FaultKind.State),
                $"'{layer.Path}' looks like a qcow2 image that names another file, which a guest can have written to "
                    + "its raw disk; say that it is qcow2, or that it is raw"
            );
        _l1Bytes += Qcow2Tables.L1Needed(header) * sizeof(ulong);
        if (_l1Bytes > L1BytesMax)
            return OpenRefusal.Rule(
                $"the tables of '{options.Path}' and what it is based on take more than "
                    + string.Create(CultureInfo.InvariantCulture, $"{L1BytesMax} bytes")
            );
        if (Qcow2Tables.WhatIsWrongBeside(reader, header) is { } wrong)
            return OpenRefusal.Rule($"'{layer.Path}' is corrupt: {wrong}; look at it with 'fastbackup check'");
        refusal = header.HasDataFile ? TryOpenData(layer, header) : default;
        if (refusal.IsNone)
        {
            refusal = Qcow2Tables.TryReadL1(reader, header, layer.Path, out NativeArray<ulong>? l1);
            layer.L1 = l1;
        }
        return refusal.IsNone && layer == _layers[0] && !options.IsReadOnly ? TryReadCounts(reader, layer) : refusal;
    }

    OpenRefusal TryReadCounts(DeviceReader reader, Layer layer)
    {
        bool canGrow = BorrowedDevice.Behind(layer.File) is FileDevice { IsBlockDevice: false };
        OpenRefusal refusal = WritableParts.TryRead(
            reader,
            layer.Header!,
            layer.L1!,
            layer.Path,
            (canGrow, null),
            out WritableParts? writable,
            options.KeepsBitmaps
        );
        layer.Writable = writable;
        return refusal;
    }

    OpenRefusal TryOpenData(Layer layer, Qcow2Header header)
    {
        if (header.DataFileName is not { } name)
            return OpenRefusal.Rule($"'{layer.Path}' has its data in another file, and does not say in which");
        bool isWritten = layer == _layers[0] && !options.IsReadOnly;
        OpenRefusal refusal = TryOpenNamed(
            layer,
            name,
            FormatRule.Raw,
            "its data",
            out _,
            out IBlockDevice? data,
            isWritten
        );
        layer.DataFile = data;
        if (refusal.IsNone && data is FileDevice { Kin.Identity: var identity } && !_met.Add(identity))
            return OpenRefusal.Rule($"'{layer.Path}' has its data in '{name}', which is a part of it already");
        return refusal;
    }

    OpenRefusal TryOpenBacking(Layer above, string name, out string path, out IBlockDevice? next)
    {
        next = null;
        string? format = above.Header!.BackingFormat;
        FormatRule rule = format == null ? FormatRule.Noted : FormatRule.Raw;
        path = name;
        if (format is not (null or "raw" or "qcow2"))
            return OpenRefusal.Rule(
                $"'{above.Path}' is based on '{name}' of format {format}, which is not read here; convert it"
            );
        OpenRefusal refusal = TryOpenNamed(above, name, rule, "what it is based on", out path, out IBlockDevice? file);
        if (!refusal.IsNone)
            return refusal;
        if (format == "qcow2")
            next = file;
        else
            _floor = file;
        if (file is FileDevice { ForeignFormat: { } looks })
            return OpenRefusal.Rule(
                $"'{above.Path}' is based on '{name}', which looks like {looks}, and does not say so; record it: "
                    + $"qemu-img rebase -u -F {looks} -b NAME IMAGE"
            );
        return default;
    }

    OpenRefusal TryOpenNamed(
        Layer by,
        string name,
        FormatRule rule,
        string what,
        out string path,
        out IBlockDevice? device,
        bool isWritten = false
    )
    {
        device = null;
        if (!NamedFile.TryResolve(by.Path, name, out path))
            return OpenRefusal.Rule($"'{by.Path}' has {what} in '{name}', which is on nothing that is known here");
        FileOpenOptions how = options with { Path = path, IsReadOnly = !isWritten, Format = rule };
        OpenRefusal refusal = DeviceSchemes.Known.TryOpen(loop, how, out device);
        return refusal.IsNone
            ? default
            : refusal with
            {
                Sentence = $"'{by.Path}' has {what} in '{name}': {refusal.Sentence}",
            };
    }

    Qcow2Device Build()
    {
        // Where the system has no more threads, the loop unpacks: slower, never wrong.
        WorkCrew? crew = WorkCrew.TryStart("fb-unpack", Math.Clamp(Environment.ProcessorCount, 1, CrewMax));
        IBlockDevice? below = _floor;
        for (int i = _layers.Count - 1; i >= 0; i--)
        {
            Layer layer = _layers[i];
            Qcow2Parts parts = new()
            {
                File = layer.File,
                Header = layer.Header!,
                L1 = layer.L1!,
                DataFile = layer.DataFile,
                Backing = below,
                Writable = layer.Writable,
                Crew = crew,
                OwnsCrew = i == 0,
            };
            below = new Qcow2Device(loop, layer.Path, parts);
        }
        return (Qcow2Device)below!;
    }

    void CloseAll()
    {
        foreach (Layer layer in _layers)
        {
            layer.L1?.Dispose();
            layer.Writable?.Dispose();
            layer.DataFile?.Dispose();
            layer.File.Dispose();
        }
        _floor?.Dispose();
    }
}
