// A block of code that scrolls by itself, also by the keyboard.
using System.Net;
using Markdig.Renderers;
using Markdig.Renderers.Html;
using Markdig.Syntax;

namespace FastBackup.Site;

sealed class WideCode : HtmlObjectRenderer<CodeBlock>
{
    protected override void Write(HtmlRenderer renderer, CodeBlock block)
    {
        string language = block is FencedCodeBlock { Info: { Length: > 0 } info }
            ? $" class=\"language-{WebUtility.HtmlEncode(info)}\""
            : "";
        _ = renderer.Write($"<pre tabindex=\"0\"><code{language}>");
        _ = renderer.WriteLeafRawLines(block, writeEndOfLines: true, escape: true);
        _ = renderer.WriteLine("</code></pre>");
    }
}
