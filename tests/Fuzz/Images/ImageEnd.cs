// Images against what they say of themselves: recipes of changes to small right ones, driven by coverage. What was
// kept is shown to qemu-img in the end, where that is there: what it calls corrupt we do not read, what both read is
// the same.
using System.Collections.Generic;
using System.Linq;
using FastBackup.Base;

namespace FastBackup.Tests.Fuzz.Images;

/// <summary>Threads: one.</summary>
sealed class ImageEnd : IFuzzedEnd
{
    readonly ImageWork _work = new();
    readonly ImageSession _session;
    readonly List<SeedImage> _images;
    readonly ImageMutations _mutations;

    public ImageEnd()
    {
        _session = new ImageSession(_work);
        _images = SeedImages.Make(_work);
        _mutations = new ImageMutations(_images);
    }

    public string Name => "image";

    public IEnumerable<byte[]> Seeds =>
        Enumerable.Range(0, _images.Count * 4).Select(i => (byte[])[(byte)(i % _images.Count), 0, (byte)i]);

    public string Words => _session.Words;

    public byte[] Change(byte[] input, byte[] other, Prng prng) => _mutations.Change(input, other, prng);

    public IEnumerable<byte[]> Around(byte[] input) => ImageMutations.Around(input);

    public void Run(byte[] input, bool isTorn, bool hasCompany) =>
        _session.Run(FileOf(input), new Prng(ImageRecipe.ChanceOf(input)), isTorn);

    byte[] FileOf(byte[] input) => ImageRecipe.Apply(input, _images[ImageRecipe.ImageOf(input, _images.Count)].File);

    public void CheckNothingLeft()
    {
        // Each session waits for all that it has begun.
    }

    public void CheckKept(IEnumerable<byte[]> inputs, Prng prng) => ImagePeer.Check(_work, inputs.Select(FileOf), prng);

    public void Dispose() => _work.Dispose();
}
