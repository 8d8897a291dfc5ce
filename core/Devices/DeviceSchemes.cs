// What a disk's name can mean: one of the schemes below, asked in their order, or else a path. A new kind of storage is
// a class and a line here; those who open disks, and those who check names, ask here and know none of them.
using System;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Devices.Rbd;
using FastBackup.Ports;

namespace FastBackup.Devices;

/// <summary>Immutable. Threads: any.</summary>
public sealed class DeviceSchemes
{
    readonly IDeviceScheme[] _schemes;

    /// <param name="schemes">The first that a name means has it.</param>
    public DeviceSchemes(params IDeviceScheme[] schemes) => _schemes = schemes;

    /// <summary>Every scheme that there is.</summary>
    public static DeviceSchemes Known { get; } = new(new NbdScheme(), new RbdScheme());

    /// <summary>Whether a name means something else than a path.</summary>
    public bool IsMeant(string name) => Find(name) != null;

    /// <summary>Of a path everything is told when it is opened.</summary>
    /// <returns>Null, or what is wrong, as the end of a sentence that begins with the name.</returns>
    public string? Check(string name) => Find(name)?.Check(name);

    /// <summary>Opens a path, or a disk of a scheme. Any thread but the loop's: it may wait for both.</summary>
    /// <param name="loop">Drives the device; it must run.</param>
    /// <param name="options">What to open and how. Of a remote disk no format is looked for, and nobody is asked
    /// whether it is in use: its server's affair.</param>
    /// <param name="device">The device, or null when refused. Owner: the caller.</param>
    /// <returns>None, or why not.</returns>
    public OpenRefusal TryOpen(IIoLoop loop, FileOpenOptions options, out IBlockDevice? device)
    {
        if (Find(options.Path) is { } scheme)
            return scheme.TryOpen(loop, options, out device);
        OpenRefusal refusal = DeviceOpener.TryOpen(loop, options, out FileDevice? file);
        device = file;
        return refusal;
    }

    IDeviceScheme? Find(string name) => Array.Find(_schemes, scheme => scheme.IsMeant(name));
}
