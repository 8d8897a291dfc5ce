// A remote disk on the loop of a world.
using System;
using System.Net;
using FastBackup.Base;
using FastBackup.Devices.Nbd;
using FastBackup.Devices.Opening;
using FastBackup.Ports;

namespace FastBackup.Tests.Fuzz;

static class Dialling
{
    /// <summary>Starts to open an export; no connection is made again once it has ended.</summary>
    /// <param name="world">Carries it.</param>
    /// <param name="address">Of its server.</param>
    /// <param name="export">By its name.</param>
    /// <param name="onEnd">Told once.</param>
    public static NbdOpening Begin(FuzzWorld world, EndPoint address, string export, Action onEnd)
    {
        Check.That(NbdUri.TryParse($"nbd://server/{export}", mayBeTls: false, out NbdUri? uri) == null);
        RemoteOpenOptions options = new() { ReconnectNs = 0 };
        NbdRemote remote = new(uri!, [address], IsReadOnly: false, options);
        NbdOpening opening = new(world.Reactor, remote, onEnd);
        world.Reactor.Post(new StandingPost(opening));
        return opening;
    }

    public static NbdDevice Open(FuzzWorld world, EndPoint address, string export)
    {
        bool hasEnded = false;
        NbdOpening opening = Begin(world, address, export, () => hasEnded = true);
        world.RunUntil(() => hasEnded, "an open");
        return opening.Device ?? throw new FuzzFailure($"cannot open: {opening.Refusal.Sentence}");
    }
}
