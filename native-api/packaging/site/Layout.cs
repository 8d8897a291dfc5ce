// The frame around a page: head line, the text, the menu with the parts of the page that is open, and the version. The
// menu stands behind the text, where a phone finds it by the link at the top; a wide screen has it beside the text.
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Net;
using System.Reflection;
using System.Text;
using Markdig;
using Markdig.Extensions.Tables;
using Markdig.Renderers;
using Markdig.Renderers.Html;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace FastBackup.Site;

static class Layout
{
    /// <summary>By which a folder is known as one that this program has written.</summary>
    public const string Generator = "<meta name=\"generator\" content=\"FastBackup.Site\">";

    static readonly string s_version = typeof(Layout)
        .Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
        .InformationalVersion;

    /// <param name="page">Its name and place.</param>
    /// <param name="document">Its text.</param>
    /// <param name="pipeline">That has read it.</param>
    /// <param name="menu">The pages that are listed.</param>
    public static string Write(
        Page page,
        MarkdownDocument document,
        MarkdownPipeline pipeline,
        IReadOnlyList<Page> menu
    )
    {
        string title = page.FileName == Contents.FirstPage ? page.Name : page.Name + " - FastBackup";
        return $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            {Generator}
            <title>{Escape(title)}</title>
            <link rel="stylesheet" href="style.css">
            </head>
            <body>
            <header><a href="{Contents.FirstPage}">FastBackup</a><a class="to-menu" href="#menu">Contents</a></header>
            <div class="page">
            <main>
            {Body(document, pipeline)}</main>
            <nav id="menu" aria-label="Contents">
            {Menu(page, document, menu)}</nav>
            </div>
            <footer>FastBackup {Escape(s_version)}</footer>
            </body>
            </html>

            """;
    }

    static string Body(MarkdownDocument document, MarkdownPipeline pipeline)
    {
        using StringWriter text = new() { NewLine = "\n" };
        HtmlRenderer renderer = new(text);
        pipeline.Setup(renderer);
        _ = renderer.ObjectRenderers.Replace<HtmlTableRenderer>(new WideTable());
        _ = renderer.ObjectRenderers.Replace<CodeBlockRenderer>(new WideCode());
        _ = renderer.ObjectRenderers.Replace<HeadingRenderer>(new LinkedHeading());
        _ = renderer.Render(document);
        return text.ToString();
    }

    static string Menu(Page open, MarkdownDocument document, IReadOnlyList<Page> menu)
    {
        StringBuilder text = new();
        foreach (IGrouping<string, Page> group in menu.Where(page => page.IsListed).GroupBy(page => page.Group))
        {
            _ = text.Append($"<h2>{Escape(group.Key)}</h2>\n<ul>\n");
            foreach (Page page in group)
            {
                string here = page == open ? " aria-current=\"page\"" : "";
                _ = text.Append($"<li><a href=\"{page.FileName}\"{here}>{Escape(page.Name)}</a>");
                if (page == open)
                    AppendParts(text, document);
                _ = text.Append("</li>\n");
            }
            _ = text.Append("</ul>\n");
        }
        return text.ToString();
    }

    static void AppendParts(StringBuilder text, MarkdownDocument document)
    {
        HeadingBlock[] parts = [.. document.OfType<HeadingBlock>().Where(heading => heading.Level == 2)];
        if (parts.Length == 0)
            return;
        _ = text.Append("\n<ul>\n");
        foreach (HeadingBlock part in parts)
            _ = text.Append($"<li><a href=\"#{part.GetAttributes().Id}\">{Escape(Plain(part))}</a></li>\n");
        _ = text.Append("</ul>\n");
    }

    /// <summary>A heading's words without their marks.</summary>
    static string Plain(HeadingBlock heading) =>
        string.Concat(
            heading
                .Inline!.Descendants()
                .Select(part =>
                    part switch
                    {
                        LiteralInline literal => literal.Content.ToString(),
                        CodeInline code => code.Content,
                        _ => "",
                    }
                )
        );

    static string Escape(string text) => WebUtility.HtmlEncode(text);
}
