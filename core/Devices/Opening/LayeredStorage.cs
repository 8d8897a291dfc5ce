// The storage of a disk that is made of several: an image and what it is based on.
using System.Collections.Generic;

namespace FastBackup.Devices.Opening;

/// <summary>Immutable.</summary>
public sealed class LayeredStorage : StorageIdentity
{
    readonly List<StorageIdentity> _layers = [];

    LayeredStorage() { }

    /// <param name="layers">Null for one that nothing else reaches.</param>
    public static LayeredStorage Of(params StorageIdentity?[] layers)
    {
        LayeredStorage made = new();
        foreach (StorageIdentity? layer in layers)
            if (layer is LayeredStorage inner)
                made._layers.AddRange(inner._layers);
            else if (layer != null)
                made._layers.Add(layer);
        return made;
    }

    public override bool Shares(StorageIdentity other)
    {
        foreach (StorageIdentity layer in _layers)
            if (other is LayeredStorage many ? many.Shares(layer) : layer.Shares(other))
                return true;
        return false;
    }
}
