// One file that the generator makes.
namespace FastBackup.Interop.Generator;

/// <param name="Path">From the root of the tree, with slashes; its folder is called Generated.</param>
/// <param name="Text">The whole file.</param>
sealed record GeneratedFile(string Path, string Text);
